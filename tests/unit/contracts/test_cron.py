"""Cron expressions: what they say, what is refused, and their ticks where the wall clock jumps."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everfit.contracts.spec.cron import (
    DAYS,
    HOURS,
    MINUTES,
    MONTHS,
    WEEKDAYS,
    last_tick,
    next_tick,
    numeric_cron,
)


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


@pytest.mark.parametrize("find", [last_tick, next_tick])
def test_a_day_that_never_is_has_no_tick(find):
    with pytest.raises(ValueError, match="no month 2 has a day 31"):
        find("0 0 31 2 *", "UTC", utc("2026-11-21T14:00"))


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("0 3 * * 1", "0 3 * * 1"),
        ("*/15 * * * *", "*/15 * * * *"),
        ("30 8 * JAN MON-FRI", "30 8 * 1 1,2,3,4,5"),
        ("30 8 * jan,Jul sun", "30 8 * 1,7 0"),
        ("0 0 * * 7", "0 0 * * 0"),
        ("0 0 * * SAT-7", "0 0 * * 0,6"),
        ("5-20/5 */6 1 */3 *", "5,10,15,20 */6 1 1,4,7,10 *"),
        ("0-59 0-23 1-31 1-12 0-6", "* * * * *"),
        ("0 0 13 * FRI", "0 0 13 * 5"),  # the 13th, and every Friday
        ("0 0 13 * 0-6", "0 0 * * *"),  # the 13th, and every weekday there is
        ("0 0 13 * *", "0 0 13 * *"),
        ("0 0 29 FEB *", "0 0 29 2 *"),
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@Midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@quarterly", "0 0 1 1,4,7,10 *"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
    ],
)
def test_an_expression_in_numbers(text, numbers):
    assert numeric_cron(text) == numbers
    assert numeric_cron(numbers) == numbers


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is five cron fields"),
        ("0 3 * *", "is five cron fields"),
        ("0 0 3 * * 1", "is five cron fields"),  # seconds
        ("@reboot", "is five cron fields"),
        ("61 3 * * 1", "the minute of a schedule, '61', is not valid"),
        ("0 3 * MONTH 1", "the month of a schedule, 'MONTH', is not valid"),
        ("0 3 * * SAT-SUN", "a range goes upwards, and a week ends with 7"),
        ("0 3 15W * *", "the day of a schedule, '15W', is not valid"),
        ("0 3 L * *", "has no L, W or #"),
        ("0 3 LW * *", "has no L, W or #"),
        ("0 3 * * 5L", "has no L, W or #"),
        ("0 3 * * MON#2", "has no L, W or #"),
        ("0 0 31 APR,JUN *", "no month APR,JUN has a day 31"),
        ("0 0 */2 * MON", "day */2 and weekday MON: cron programs disagree"),
        ("0 0 1 * */2", "day 1 and weekday */2: cron programs disagree"),
    ],
)
def test_what_is_no_schedule_is_refused_with_the_reason(text, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        numeric_cron(text)


DAY_NAMES = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
MONTH_NAMES = (
    "JAN",
    "FEB",
    "MAR",
    "APR",
    "MAY",
    "JUN",
    "JUL",
    "AUG",
    "SEP",
    "OCT",
    "NOV",
    "DEC",
)


@st.composite
def written(draw, every):
    """Some of the numbers, and a text for them: a list of numbers, names, ranges and steps."""
    names = {MONTHS: dict(enumerate(MONTH_NAMES, 1)), WEEKDAYS: dict(enumerate(DAY_NAMES))}.get(
        every, {}
    )

    def name(number):
        return draw(st.sampled_from([str(number), names.get(number, f"{number:02}")]))

    numbers, parts = set(), []
    for _ in range(draw(st.integers(1, 3))):
        first, last = sorted(draw(st.sampled_from(every)) for _ in range(2))
        step = draw(st.integers(1, 9))
        kind = draw(st.sampled_from(["one", "range", "steps"]))
        if kind == "one":
            numbers.add(first)
            parts.append(name(first))
        elif kind == "range" or first == last:
            numbers |= set(range(first, last + 1))
            parts.append(f"{name(first)}-{name(last)}")
        else:
            numbers |= set(range(first, last + 1, step))
            parts.append(f"{name(first)}-{name(last)}/{step}")
    return numbers, ",".join(parts)


@settings(deadline=None)
@given(st.tuples(*map(written, (MINUTES, HOURS, DAYS, MONTHS, WEEKDAYS))))
def test_the_numbers_are_those_that_were_written(fields):
    text = " ".join(field for _, field in fields)
    minutes, hours, days, months, weekdays = (numbers for numbers, _ in fields)
    if len(days) == len(DAYS) or len(weekdays) == len(WEEKDAYS):
        days, weekdays = set(DAYS), set(WEEKDAYS)  # one is enough, so every day
    expected = [
        "*" if len(numbers) == len(every) else ",".join(map(str, sorted(numbers)))
        for numbers, every in (
            (minutes, MINUTES),
            (hours, HOURS),
            (days, DAYS),
            (months, MONTHS),
            (weekdays, WEEKDAYS),
        )
    ]
    assert numeric_cron(text) == " ".join(expected)


@settings(deadline=None)
@given(st.text(alphabet="0123456789*/,-#@LWMONTUEJANdaily \u0663", max_size=20))
def test_a_text_is_refused_or_has_ticks(text):
    moment = utc("2026-01-01T00:00")
    try:
        numeric_cron(text)
    except ValueError:
        return
    assert last_tick(text, "UTC", moment) <= moment < next_tick(text, "UTC", moment)


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


@settings(deadline=None)
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


@settings(deadline=None)
@given(st.integers(0, 366 * 24 * 4), st.sampled_from(["30 2 * * *", "15 * * * *", "0 3 * * 1,4"]))
def test_no_tick_is_passed_over_in_a_year_with_summer_time(quarters, cron):
    moment = utc("2026-01-01T00:00") + timedelta(minutes=15 * quarters)
    tick = last_tick(cron, "America/New_York", moment)
    later = last_tick(cron, "America/New_York", moment + timedelta(minutes=15))
    assert tick <= moment
    assert later == tick or moment < later <= moment + timedelta(minutes=15)
