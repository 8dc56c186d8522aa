"""Removing what a survey has condemned, while pipelines may be at work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from everfit.contracts.errors import IntegrityError
from everfit.engine.progress import Progress
from everfit.operations.retention.census import Census
from everfit.operations.retention.reach import Reach
from everfit.operations.retention.survey import Condemned, Survey, damaged, reach_young
from everfit.storage.ledger import Ledger
from everfit.storage.ledger.records import RemovalRecord

LOOK_AGAIN = 500
"""So many blobs are removed between two looks at what has become young meanwhile."""


@dataclass
class Swept:
    """What was done."""

    removed: int = 0
    size: int = 0
    """Bytes."""
    spared: int = 0
    """Condemned, and in use again when it came to it."""


def sweep(
    found: Survey,
    reach: Reach,
    census: Census,
    ledger: Ledger,
    since: datetime,
    reason: str,
    progress: Progress,
) -> Swept:
    """Remove results, then blobs; each only if it is still as old as when it was condemned.

    A run at work renews every result it reads and every blob it puts again, so that the store
    refuses to remove those. A blob that it names without touching it is named by a result or a
    document that is young by then: these are looked at again, right before blobs are removed.

    Raises
    ------
    UserError
        If the store may only be read.
    """
    done, before = Swept(), since.timestamp()
    total = len(found.condemned)
    results = [one for one in found.condemned if one.digest is None]
    for number, one in enumerate(results):
        _remove(one, census, before, done)
        progress.update("removing", number + 1, total)
    blobs = [one for one in found.condemned if one.digest is not None]
    for number, one in enumerate(blobs):
        if number % LOOK_AGAIN == 0:
            _look_again(reach, since)
        assert one.digest is not None
        if one.digest in reach.why:
            done.spared += 1
        else:
            for name in one.owners or ("",):
                what = one.name or one.kind
                record = RemovalRecord(digest=one.digest, what=what, reason=reason)
                ledger.record_removal(name, record)
            _remove(one, census, before, done)
        progress.update("removing", len(results) + number + 1, total)
    return done


def _remove(one: Condemned, census: Census, before: float, done: Swept) -> None:
    if census.store.remove(one.entry.key, before):
        done.removed += 1
        done.size += one.entry.size
    else:
        done.spared += 1


def _look_again(reach: Reach, since: datetime) -> None:
    """Reach what was made or renewed meanwhile, and all that it names."""
    reach.census.take()
    try:
        reach_young(reach, since)
    except IntegrityError as error:
        raise damaged(error.where, "it is altered") from error
