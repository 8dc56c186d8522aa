"""Cron expressions: read by cronsim, and written so that every cron program reads them alike.

A schedule is read twice: by plan, which asks whether a tick is due, and by Airflow, whose scheduler
starts a run at each tick. Cron programs agree on simple expressions only. So both get the numbers
that cronsim reads in the spec's text, as plain lists (``numeric_cron``), and what cannot be written
so is refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator

NAMED = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
"""Expressions with a name: those of cron, and Airflow's ``@quarterly``."""

FIELDS = ("minute", "hour", "day", "month", "weekday")
MINUTES, HOURS, DAYS, MONTHS, WEEKDAYS = (
    range(60),
    range(24),
    range(1, 32),
    range(1, 13),
    range(7),
)
_EXAMPLES = "such as 0 3 * * MON-FRI, or a name such as @daily"
_ANY_MOMENT = datetime(2026, 1, 1)
_AHEAD = timedelta(hours=2)
"""The wall clock repeats up to so much when summer time ends."""


@lru_cache(maxsize=256)
def numeric_cron(text: str) -> str:
    """A cron expression as five fields of numbers, which every cron program reads alike.

    Parameters
    ----------
    text : str
        Five fields (minute, hour, day, month, weekday) with numbers, names, lists, ranges and
        steps, or one of ``NAMED``.

    Returns
    -------
    str
        Each field ``*``, a step over it, or a list of numbers; Sunday is 0. Where day and weekday
        both are lists, one of them is enough.

    Raises
    ------
    ValueError
        If it is no cron expression, has no tick, or cron programs disagree about it.

    Examples
    --------
    >>> numeric_cron("30 8-10 * JAN,JUL MON-FRI"), numeric_cron("@hourly")
    ('30 8,9,10 * 1,7 1,2,3,4,5', '0 * * * *')
    """
    fields = NAMED.get(text.strip().lower(), text).split()
    if len(fields) != len(FIELDS):
        raise ValueError(f"a schedule is five cron fields, {' '.join(FIELDS)}, {_EXAMPLES}")
    read = _read(fields)
    if any(not isinstance(one, int) or one < 0 for one in (*read.days, *read.weekdays)):
        raise ValueError("a schedule has no L, W or #: cron programs read them in different ways")
    weekdays = {day % 7 for day in read.weekdays if isinstance(day, int)}
    any_day, any_weekday = {*DAYS} <= read.days, {*WEEKDAYS} <= weekdays
    if read.day_and and not any_day and not any_weekday:
        raise ValueError(
            f"day {fields[2]} and weekday {fields[4]}: cron programs disagree whether both must "
            "match or one of them; write the steps without *, such as 1-31/2, for one of them"
        )
    if not read.day_and and (any_day or any_weekday):  # one is enough, and one always matches
        any_day = any_weekday = True
    return " ".join(
        (
            _steps(fields[0]) or _list(read.minutes, MINUTES),
            _steps(fields[1]) or _list(read.hours, HOURS),
            "*" if any_day else _list(read.days, DAYS),
            _list(read.months, MONTHS),
            "*" if any_weekday else _list(weekdays, WEEKDAYS),
        )
    )


def check_cron(text: str) -> str:
    """Give back a cron expression that ``numeric_cron`` takes."""
    numeric_cron(text)
    return text


Cron = Annotated[str, AfterValidator(check_cron)]


def last_tick(cron: str, zone: str, moment: datetime) -> datetime:
    """The newest tick at or before a moment.

    Parameters
    ----------
    cron : str
        As ``numeric_cron`` takes it.
    zone : str
        IANA name of the zone whose wall clock the fields are of. A time that the wall clock skips
        counts as the first one after; one that it shows twice counts the first time.
    moment : datetime
        With a zone.

    Returns
    -------
    datetime
        UTC. There always is one: an expression without a tick is refused.
    """
    start = (moment + _AHEAD).replace(microsecond=1)
    return next(tick for tick in _ticks(cron, zone, start, back=True) if tick <= moment)


def next_tick(cron: str, zone: str, moment: datetime) -> datetime:
    """The first tick after a moment; UTC."""
    start = moment - _AHEAD
    return next(tick for tick in _ticks(cron, zone, start, back=False) if tick > moment)


def _ticks(cron: str, zone: str, start: datetime, back: bool) -> Iterator[datetime]:
    for tick in CronSim(numeric_cron(cron), start.astimezone(ZoneInfo(zone)), reverse=back):
        yield tick.astimezone(UTC)


def _read(fields: list[str]) -> CronSim:
    """Parse the fields; say which of them is wrong."""
    for place, name in enumerate(FIELDS):
        alone = ["*"] * len(FIELDS)
        alone[place] = fields[place]
        try:
            CronSim(" ".join(alone), _ANY_MOMENT)
        except CronSimError:
            upwards = ": a range goes upwards, and a week ends with 7" if name == "weekday" else ""
            raise ValueError(
                f"the {name} of a schedule, {fields[place][:20]!r}, is not valid{upwards}; "
                f"a schedule is a cron expression {_EXAMPLES}"
            ) from None
    try:
        return CronSim(" ".join(fields), _ANY_MOMENT)
    except CronSimError:
        raise ValueError(f"no month {fields[3]} has a day {fields[2]}") from None


def _steps(field: str) -> str:
    """The field itself where it is a step over all, which reads better than a list."""
    return field if re.fullmatch(r"\*/[1-9][0-9]?", field, re.ASCII) else ""


def _list(numbers: Collection[int], every: range) -> str:
    return "*" if len(numbers) == len(every) else ",".join(map(str, sorted(numbers)))
