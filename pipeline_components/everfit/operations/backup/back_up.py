"""Making a backup while pipelines may be at work.

The ledger first, then the store: a step stores what it made before it records it, so whatever the
ledger's lines name is in the store by then. Of the store, results before blobs, for the same
reason: a result is published after all that it names. A removal at the same time (``everfit
prune``) would break both, so where a key goes while it is copied the store is listed anew.
"""

from __future__ import annotations

import gzip
from pathlib import Path

from everfit.contracts.base import canonical_json
from everfit.contracts.clock import Clock, iso, now
from everfit.contracts.errors import IntegrityError, Unavailable, UserError
from everfit.contracts.settings import Settings
from everfit.engine.progress import Progress
from everfit.operations.backup.manifest import PREFIX, Backup, Kept, open_place, written_index
from everfit.storage.ledger.copying import dump_ledger
from everfit.storage.store import Entry, Store, blob_key, open_store

BLOBS = "blobs/"
LISTINGS = 3
"""So often the store is listed, where keys go meanwhile."""


def back_up(
    settings: Settings, to: str, scratch: Path, progress: Progress, clock: Clock = now
) -> tuple[str, Backup]:
    """Copy the ledger and whatever of the store the place has not got yet.

    Killed at any point, the place has the backups it had before; what was copied is found again.

    Returns
    -------
    tuple of str and Backup
        The backup's name, and its manifest.

    Raises
    ------
    UserError
        If there is no ledger, or the place is the store itself or within it.
    IntegrityError
        If a blob of the store is not what its digest says.
    Unavailable
        If keys kept going while they were copied.
    """
    place, store = open_place(to), open_store(settings.store)
    _refuse_nested(place, store)
    moment = clock()
    lines = scratch / "ledger.jsonl.gz"
    with lines.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as out:
        rows = dump_ledger(settings.ledger, out.write)
    ledger = place.put(lines.name, lines)
    kept = _copied(store, place, scratch, progress)
    index = place.put("index.gz", written_index(scratch / "index.gz", kept))
    backup = Backup(
        at=iso(moment),
        ledger=ledger,
        rows=rows,
        index=index,
        keys=len(kept),
        size=sum(one.size for one in kept),
    )
    # As fine as ``at``: a name that is taken is the same backup.
    name = f"{moment:%Y%m%dT%H%M%S}.{moment.microsecond // 1000:03}Z"
    name += f"-{index.digest[:4]}{ledger.digest[:4]}"
    place.create(f"{PREFIX}{name}.json", canonical_json(backup))
    return name, backup


def _copied(store: Store, place: Store, scratch: Path, progress: Progress) -> list[Kept]:
    there = set(place.keys(BLOBS))
    for _ in range(LISTINGS):
        # In this order: see above.
        others = [one for one in store.entries("") if not one.key.startswith(BLOBS)]
        entries = others + list(store.entries(BLOBS))
        kept = []
        for number, entry in enumerate(entries):
            one = _copy(entry, store, place, scratch, there)
            if one is None:
                break
            kept.append(one)
            progress.update("backing up", number + 1, len(entries))
        else:
            return kept
    raise Unavailable(
        "BACKUP-MOVING",
        store.url,
        "no key of the store may go while it is copied",
        f"some did, {LISTINGS} times",
        "Try again when everfit prune is done",
    )


def _copy(entry: Entry, store: Store, place: Store, scratch: Path, there: set[str]) -> Kept | None:
    """Have the place hold what a key holds; None where the key has gone."""
    if not entry.key.startswith(BLOBS):
        data = store.read(entry.key)
        if data is None:
            return None
        made = place.put(entry.key, data)
        there.add(blob_key(made.digest))
        return Kept(entry.key, made.digest, made.size)
    digest = entry.key.rpartition("/")[2]
    if entry.key not in there:
        try:
            path = store.local(digest, scratch)  # verified
        except IntegrityError as error:
            if error.code == "STORE-MISSING":
                return None
            raise
        place.create(entry.key, path)
        if path.is_relative_to(scratch):
            path.unlink()
        there.add(entry.key)
    return Kept(entry.key, digest, entry.size)


def _refuse_nested(place: Store, store: Store) -> None:
    mine, theirs = f"{store.url}/", f"{place.url}/"
    if mine.startswith(theirs) or theirs.startswith(mine):
        raise UserError(
            "BACKUP-PLACE",
            place.url,
            "backups lie apart from the store",
            f"the store is {store.url}",
            "Name another folder or bucket, best on another machine",
        )
