"""Ticks of cron expressions, also where the wall clock jumps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_components.plan.schedule import last_tick, next_tick


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "zone", "moment", "tick"),
    [
        ("0 3 * * 1", "UTC", "2026-11-21T14:00", "2026-11-16T03:00"),
        ("0 3 * * 1", "UTC", "2026-11-16T03:00", "2026-11-16T03:00"),
        ("0 3 * * 1", "UTC", "2026-11-16T02:59:59", "2026-11-09T03:00"),
        ("0 3 * * *", "Europe/Berlin", "2026-07-01T01:00", "2026-07-01T01:00"),
        ("0 3 * * *", "Europe/Berlin", "2026-12-01T01:59", "2026-11-30T02:00"),
        # 2026-03-29: 02:00 becomes 03:00, so 02:30 is never shown, and counts as 03:00.
        ("30 2 * * *", "Europe/Berlin", "2026-03-29T00:59", "2026-03-28T01:30"),
        ("30 2 * * *", "Europe/Berlin", "2026-03-29T01:00", "2026-03-29T01:00"),
        # 2026-10-25: 03:00 becomes 02:00, so 02:30 is shown twice, and counts the first time.
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:29", "2026-10-24T00:30"),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30", "2026-10-25T00:30"),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10", "2026-10-25T00:30"),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T01:30", "2026-10-25T00:30"),
        ("0 0 29 2 *", "UTC", "2026-11-21T14:00", "2024-02-29T00:00"),
    ],
)
def test_the_last_tick(cron, zone, moment, tick):
    assert last_tick(cron, zone, utc(moment)) == utc(tick)


def test_a_day_that_never_is_has_no_tick():
    assert last_tick("0 0 31 2 *", "UTC", utc("2026-11-21T14:00")) is None
    assert next_tick("0 0 31 2 *", "UTC", utc("2026-11-21T14:00")) is None


def named(part, low, high):
    """The numbers of a field, read independently."""
    if part == "*":
        return range(low, high + 1)
    if part.startswith("*/"):
        return range(low, high + 1, int(part[2:]))
    return [int(number) for number in part.split(",")]


minutes = st.sampled_from(["0", "*/20", "7,41"])
hours = st.sampled_from(["*", "3", "*/6", "0,13"])
days = st.sampled_from(["*", "0", "1,4", "6"])


@given(minutes, hours, days, st.integers(0, 40 * 24 * 60))
def test_ticks_are_those_a_walk_through_the_minutes_finds(minute, hour, day, after):
    moment = utc("2026-01-01T00:00") + timedelta(minutes=after, seconds=after % 60)
    cron = f"{minute} {hour} * * {day}"

    def rings(at):
        return (
            at.minute in named(minute, 0, 59)
            and at.hour in named(hour, 0, 23)
            and at.isoweekday() % 7 in [number % 7 for number in named(day, 0, 6)]
        )

    walked = moment.replace(second=0)
    while not rings(walked):
        walked -= timedelta(minutes=1)
    assert last_tick(cron, "UTC", moment) == walked
    walked = moment.replace(second=0) + timedelta(minutes=1)
    while not rings(walked):
        walked += timedelta(minutes=1)
    assert next_tick(cron, "UTC", moment) == walked


@given(st.integers(0, 366 * 24 * 4), st.sampled_from(["30 2 * * *", "15 * * * *", "0 3 * * 1,4"]))
def test_no_tick_is_passed_over_in_a_year_with_summer_time(quarters, cron):
    moment = utc("2026-01-01T00:00") + timedelta(minutes=15 * quarters)
    tick = last_tick(cron, "America/New_York", moment)
    later = last_tick(cron, "America/New_York", moment + timedelta(minutes=15))
    assert tick <= moment
    assert later == tick or moment < later <= moment + timedelta(minutes=15)
