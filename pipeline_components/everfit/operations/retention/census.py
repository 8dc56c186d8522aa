"""What the store holds, and what each of its documents names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from everfit.contracts.base import Digest, digest_bytes
from everfit.contracts.errors import IntegrityError
from everfit.engine.progress import Progress
from everfit.storage.store import Entry, Store, blob_key

BLOBS, RESULTS = "blobs/", "results/"

_DIGEST = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


@dataclass(frozen=True)
class Named:
    """What a document names."""

    digests: frozenset[Digest] = frozenset()
    """Every sha-256 in its text, whatever of: nothing that a document names is overlooked."""
    called: Mapping[Digest, str] = field(default_factory=dict)
    """Digest → file name, where the document has it as an artifact."""
    own: Digest = ""
    """Of the document itself, where it names anything."""

    @property
    def all(self) -> frozenset[Digest]:
        """What it names, and the document: a result is stored as a blob too."""
        return self.digests | {self.own}


@dataclass
class Census:
    """Every blob and result at one moment, and their documents as far as they were read.

    Attributes
    ----------
    blobs : dict
        Digest → entry.
    results : dict
        Key → entry.
    """

    store: Store
    progress: Progress
    blobs: dict[Digest, Entry] = field(default_factory=dict)
    results: dict[str, Entry] = field(default_factory=dict)
    _read: dict[str, Named] = field(default_factory=dict)

    def take(self) -> None:
        """Look at what is there now; what was read before is not read again."""
        self.results = {entry.key: entry for entry in self.store.entries(RESULTS)}
        self.blobs = {entry.key.rpartition("/")[2]: entry for entry in self.store.entries(BLOBS)}

    def of_result(self, key: str) -> Named:
        """What a result names; nothing where it has just gone."""
        if key not in self._read:
            data = self.store.read(key)
            if data is None:
                return NOTHING
            self._read[key] = named_in(data)
            self.progress.update("reading results", len(self._read), self._documents)
        return self._read[key]

    def of_blob(self, digest: Digest) -> Named:
        """What a blob names, if it is a JSON document.

        Raises
        ------
        IntegrityError
            If its bytes are altered: what it names is not known then.
        """
        key = blob_key(digest)
        if key not in self._read:
            self._read[key] = self._look(digest)
            self.progress.update("reading documents", len(self._read), self._documents)
        return self._read[key]

    @cached_property
    def _documents(self) -> int:
        return max(len(self.blobs) + len(self.results), 1)

    def _look(self, digest: Digest) -> Named:
        start = self.store.begins(blob_key(digest), 1)
        if start not in (b"{", b"["):
            return NOTHING
        try:
            return named_in(self.store.get(digest))
        except IntegrityError as error:
            if error.code == "STORE-MISSING":  # it has just gone
                return NOTHING
            raise

    def made(self) -> Iterator[tuple[str, Named]]:
        """What made each result, and what it names."""
        for key in self.results:
            yield key.split("/")[1], self.of_result(key)

    @property
    def names(self) -> dict[Digest, str]:
        """Digest → file name, from every document read so far."""
        found: dict[Digest, str] = {}
        for named in self._read.values():
            found |= named.called
        return found


NOTHING = Named()


def named_in(data: bytes) -> Named:
    """Every digest in a text, and the names of the artifacts if it is JSON."""
    digests = frozenset(found.decode() for found in _DIGEST.findall(data))
    if not digests:
        return NOTHING
    try:
        document = json.loads(data)
    except ValueError:
        return Named(digests, {}, digest_bytes(data))
    return Named(digests, dict(_artifacts(document)), digest_bytes(data))


def _artifacts(value: Any) -> Iterator[tuple[Digest, str]]:
    if isinstance(value, dict):
        digest, name = value.get("digest"), value.get("name")
        if isinstance(digest, str) and isinstance(name, str) and "size" in value:
            yield digest, "snapshot.parquet" if "rows" in value else name
        for item in value.values():
            yield from _artifacts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _artifacts(item)
