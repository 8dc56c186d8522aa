"""The ticks of a cron expression, in a time zone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_AHEAD = timedelta(hours=2)
"""The wall clock repeats up to so much when summer time ends."""


def last_tick(cron: str, zone: str, moment: datetime) -> datetime | None:
    """The newest tick at or before a moment.

    Parameters
    ----------
    cron : str
        Five fields, minute to weekday.
    zone : str
        IANA name of the zone whose wall clock the fields are of. A time that the wall clock skips
        counts as the first one after; one that it shows twice counts the first time.
    moment : datetime
        With a zone.

    Returns
    -------
    datetime or None
        UTC; None where there is none within fifty years.
    """
    start = (moment + _AHEAD).replace(microsecond=1)
    return next((tick for tick in _ticks(cron, zone, start, back=True) if tick <= moment), None)


def next_tick(cron: str, zone: str, moment: datetime) -> datetime | None:
    """The first tick after a moment; UTC."""
    start = moment - _AHEAD
    return next((tick for tick in _ticks(cron, zone, start, back=False) if tick > moment), None)


def _ticks(cron: str, zone: str, start: datetime, back: bool) -> Iterator[datetime]:
    from cronsim import CronSim, CronSimError  # needed by schedules alone

    try:
        for tick in CronSim(cron, start.astimezone(ZoneInfo(zone)), reverse=back):
            yield tick.astimezone(UTC)
    except CronSimError:  # no month has such a day
        return
