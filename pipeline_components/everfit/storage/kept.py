"""What was computed once and is used again: found in the store, believed by the ledger alone.

Whoever can write to the store can put a result under any key. So the ledger records the digest of
every document that is kept; one that differs from it, or of which the ledger knows nothing, is set
aside, and the work is done again.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Protocol

from everfit.contracts.base import Digest, digest_bytes
from everfit.contracts.errors import IntegrityError
from everfit.storage.ledger import Ledger
from everfit.storage.store import Store, blob_key, result_key

log = logging.getLogger(__name__)


class Places(Protocol):
    """What leads to both; a context does."""

    @property
    def store(self) -> Store:
        """Where the bytes are."""

    @property
    def ledger(self) -> Ledger:
        """Where their digests are."""


@dataclass(frozen=True)
class Recalled:
    """What is kept under a content key."""

    document: bytes | None
    """None where the work is to be done."""
    number: int = 0
    """Of the ledger's record whose bytes were lost; 0 where it has none."""


def recall(made: str, key: Digest, places: Places) -> Recalled:
    """The document kept under a content key, if it is the one the ledger names.

    Parameters
    ----------
    made : str
        The step or the kind of value: the folder below ``results/``.
    key : str
    places : Places
    """
    where, store = result_key(made, key), places.store
    known = places.ledger.result(made, key)
    held = store.reuse(where)
    if known is not None and held is not None and digest_bytes(held) == known.digest:
        return Recalled(held, known.number)
    if held is not None:
        why = "is not what the ledger records" if known else "is in no record of the ledger"
        aside = store.set_aside(where)
        log.warning("%s: %s %s; it is %s now", store.url, where, why, aside)
    if known is None:
        return Recalled(None)
    try:
        document = store.get(known.digest)
    except IntegrityError as error:
        if error.code == "STORE-ALTERED":
            store.set_aside(blob_key(known.digest))
        return Recalled(None, known.number)
    store.create(where, document)
    return Recalled(document, known.number)


def keep(
    made: str, key: Digest, document: bytes, places: Places, after: int | None = None
) -> bytes:
    """Keep a document under its content key: the bytes, the ledger's record, the key to them.

    Killed anywhere, the next attempt finds it whole or makes it again.

    Parameters
    ----------
    after : int, optional
        ``Recalled.number`` of the search that found nothing; default the number of what the ledger
        records now, so that a document whose own artifacts were lost gives way.

    Returns
    -------
    bytes
        The document that counts: another process may have been first.
    """
    store, digest = places.store, digest_bytes(document)
    store.put(f"{made}.json", document)
    known = places.ledger.result(made, key)
    if after is None:
        after = known.number if known else 0
    if known is None or (known.digest != digest and known.number <= after):
        known = places.ledger.record_result(made, key, digest, after)
    if known.digest != digest:
        document = store.get(known.digest)
    where = result_key(made, key)
    if not store.create(where, document):
        held = store.read(where)
        if held is not None and held != document:
            store.set_aside(where)
            store.create(where, document)
    return document
