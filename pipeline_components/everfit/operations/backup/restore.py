"""Making store and ledger again from a backup: the store first, the ledger last and at once.

So a restore that was killed has left a ledger without a record, and can be run again.
"""

from __future__ import annotations

import gzip
from pathlib import Path

from everfit.contracts.base import digest_bytes
from everfit.contracts.errors import IntegrityError
from everfit.contracts.settings import Settings
from everfit.engine.progress import Progress
from everfit.operations.backup.manifest import Backup, Kept, open_place, read_backup, read_index
from everfit.storage.ledger.copying import holds_records, load_ledger, not_empty
from everfit.storage.store import Store, open_store
from everfit.storage.store.base import altered


def restore(
    settings: Settings, source: str, scratch: Path, progress: Progress, name: str | None = None
) -> tuple[str, Backup]:
    """Fill an empty store and an empty ledger.

    Parameters
    ----------
    settings : Settings
        Whose store and ledger are filled.
    source : str
        The place of backups.
    name : str, optional
        Of the backup; the newest where left out.

    Raises
    ------
    UserError
        If there is no such backup, the ledger has records, or the store holds anything that is
        not of the backup.
    IntegrityError
        If bytes of the backup are missing or altered; the ledger is not filled then.
    """
    place, store = open_place(source), open_store(settings.store)
    chosen, backup = read_backup(place, name)
    where = f"{place.url} {chosen}"
    lines, index = (
        place.local(artifact.digest, scratch) for artifact in (backup.ledger, backup.index)
    )
    kept = list(read_index(index, where))
    if holds_records(settings.ledger):
        raise not_empty("the ledger", "it has records")
    strangers = set(store.keys("")) - {one.key for one in kept}
    if strangers:
        raise not_empty(store.url, f"{len(strangers):,} keys of it are not of the backup")
    # Blobs before results: a result that is there must find all that it names.
    for number, one in enumerate(sorted(kept, key=lambda one: (one.key[:6] != "blobs/", one.key))):
        _put_back(one, place, store, scratch)
        progress.update("restoring", number + 1, len(kept))
    with gzip.open(lines, "rb") as rows:
        counts = load_ledger(settings.ledger, rows)
    if {table: count for table, count in counts.items() if count} != {
        table: count for table, count in backup.rows.items() if count
    }:
        raise IntegrityError(
            "RESTORE-ROWS",
            where,
            "the ledger must get as many rows as the manifest names",
            "it got others",
            "Restore another backup into an empty place",
        )
    return chosen, backup


def _put_back(one: Kept, place: Store, store: Store, scratch: Path) -> None:
    path = place.local(one.digest, scratch)  # verified
    if not store.create(one.key, path):
        found = store.read(one.key)  # of a restore that was killed, or spoilt since
        if found is None or digest_bytes(found) != one.digest:
            raise altered(store.url, f"key {one.key}")
    if path.is_relative_to(scratch):
        path.unlink()
