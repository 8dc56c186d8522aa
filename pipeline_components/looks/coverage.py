"""How much time spans cover, and how much of it nobody has looked at yet.

Every stretch of time refills the budget once. So files that overlap (each day one with the last
thirty days, or a file that only grows) bring no more than the time that passes between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from pipeline_components.clock import moment
from pipeline_components.contracts.spans import Span

YEAR = timedelta(days=365.25)

Stretch = tuple[datetime, datetime]
"""From, inclusive, and to, exclusive."""


def stretch_of(span: Span, lasts: timedelta) -> Stretch | None:
    """The time a span covers; None where neither its name nor its rows tell.

    Parameters
    ----------
    span : Span
        Its period counts, as the source names it; without one, the times of its rows.
    lasts : timedelta
        How long a span lasts whose rows are all of one moment, such as dates without hours.
    """
    for first, last in ((span.period_start, span.period_end), (span.time_min, span.time_max)):
        start, end = moment(first), moment(last)
        if start is None or end is None or end < start:
            continue
        try:
            return start, end if end > start else start + lasts
        except OverflowError:  # the last days of the year 9999
            continue
    return None


def years(time: timedelta) -> float:
    """In years of 365.25 days."""
    return time / YEAR


def merged(stretches: Iterable[Stretch]) -> list[Stretch]:
    """The same time as stretches that do not touch, oldest first."""
    found: list[Stretch] = []
    for start, end in sorted(stretches):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def uncovered(stretch: Stretch, covered: Sequence[Stretch]) -> timedelta:
    """How much of a stretch is in none of the others, which are ``merged``."""
    start, end = stretch
    overlaps = (min(end, last) - max(start, first) for first, last in covered)
    return (end - start) - sum((o for o in overlaps if o > timedelta(0)), timedelta(0))
