"""Whether a file has been left alone for long enough, also where clocks differ."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from everfit.contracts.errors import shortlist

SKEW = 60.0
"""Seconds that clocks may differ by without a word."""


def not_settled(modified: float, now: float, settle: float) -> str | None:
    """Why a file does not count yet by ``source.settle``; None where it does.

    A file that is dated ahead of this machine's clock may still be being written by a machine whose
    clock is ahead, so it rests from the time it is dated.

    Parameters
    ----------
    modified, now : float
        Seconds since 1970.
    settle : float
        Seconds; 0: every file counts at once.

    Examples
    --------
    >>> not_settled(100, now=105, settle=60)
    'changed 5 s ago, it must rest for 60 s'
    >>> not_settled(100, now=160, settle=60) is None, not_settled(200, now=160, settle=0) is None
    (True, True)
    """
    if settle == 0 or now - modified >= settle:
        return None
    if not is_ahead(modified, now):
        return f"changed {max(now - modified, 0):.0f} s ago, it must rest for {settle:g} s"
    dated = datetime.fromtimestamp(modified, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        f"it is dated {dated}, ahead of this machine's clock, and counts {settle:g} s after that; "
        "correct the clock that dated it, and touch the file"
    )


def is_ahead(modified: float, now: float) -> bool:
    """Whether a file is dated ahead of this machine's clock, by more than clocks differ."""
    return modified > now + SKEW


def dated_ahead(names: Iterable[str]) -> list[str]:
    """A sentence on the files that count and are dated ahead; none where there are none."""
    names = list(names)
    if not names:
        return []
    return [f"dated ahead of this machine's clock, and read all the same: {shortlist(names)}"]
