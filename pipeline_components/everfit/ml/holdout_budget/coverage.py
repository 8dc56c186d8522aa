"""The time that spans cover, and how much of it is in no earlier evaluation.

Every stretch of time refills the evaluation budget once. So files that overlap (each day one with
the last thirty days, or a file that only grows) bring no more than the time that passes between
them. Time ends now: what is dated later counts for nothing. What is not dated at all is dated by
the moment it was first seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from everfit.contracts.clock import moment
from everfit.contracts.messages.spans import Span

YEAR = timedelta(days=365.25)

Stretch = tuple[datetime, datetime]
"""From, inclusive, and to, exclusive."""


def stretch_of(
    span: Span,
    lasts: timedelta,
    now: datetime,
    *,
    usual: Stretch | None = None,
    first_seen: datetime | None = None,
) -> Stretch:
    """The time a span covers.

    Parameters
    ----------
    span : Span
        Its period counts, as the source names it; without one, the times of its rows; without
        any, or where both lie in the future, the moment when it was first seen.
    lasts : timedelta
        How long a span lasts whose rows are all of one moment, such as dates without hours, and
        one without any time.
    now : datetime
        Nothing after it counts.
    usual : (datetime, datetime), optional
        What the times of rows are clipped to: a wrong time in a few rows covers no time.
    first_seen : datetime, optional
        ``now`` by default.
    """
    seen = min(first_seen or now, now)
    for dated in (_period(span), _times(span, usual)):
        if dated is None or dated[0] >= now:
            continue
        start, end = dated
        try:
            return start, min(end if end > start else start + lasts, now)
        except OverflowError:  # the last days of the year 9999
            continue
    return seen - lasts, seen


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


def _period(span: Span) -> Stretch | None:
    return _ordered(moment(span.period_start), moment(span.period_end))


def _times(span: Span, usual: Stretch | None) -> Stretch | None:
    start, end = moment(span.time_min), moment(span.time_max)
    if start is not None and end is not None and usual is not None:
        start, end = max(start, usual[0]), min(end, usual[1])
    return _ordered(start, end)


def _ordered(start: datetime | None, end: datetime | None) -> Stretch | None:
    return (start, end) if start is not None and end is not None and end >= start else None
