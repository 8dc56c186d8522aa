"""Quiet times."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everfit.contracts.spec.quiet_times import DAYS, read_quiet

MONDAY = datetime(2026, 11, 16)


def holds(text, day, time):
    moment = MONDAY + timedelta(days=DAYS.index(day), hours=int(time[:2]), minutes=int(time[3:]))
    return any(part.holds(moment) for part in read_quiet(text))


@pytest.mark.parametrize(
    ("text", "day", "time", "quiet"),
    [
        ("Sat-Sun", "sat", "00:00", True),
        ("Sat-Sun", "sun", "23:59", True),
        ("Sat-Sun", "mon", "00:00", False),
        ("Fri-Mon", "sun", "12:00", True),
        ("Fri-Mon", "tue", "12:00", False),
        ("22:00-06:00", "wed", "22:00", True),
        ("22:00-06:00", "wed", "05:59", True),
        ("22:00-06:00", "wed", "06:00", False),
        ("Mon-Fri 08:00-18:00", "fri", "17:59", True),
        ("Mon-Fri 08:00-18:00", "sat", "12:00", False),
        ("Fri 22:00-06:00", "sat", "05:00", True),  # the night that begins on Friday
        ("Fri 22:00-06:00", "fri", "05:00", False),
        ("mon, wed 10:00-11:00", "wed", "10:30", True),
        ("00:00-24:00", "thu", "23:59", True),
    ],
)
def test_when_it_is_quiet(text, day, time, quiet):
    assert holds(text, day, time) is quiet


@given(
    st.sampled_from(DAYS),
    st.sampled_from(DAYS),
    st.integers(0, 1439),
    st.integers(0, 1439),
    st.integers(0, 7 * 1440 - 1),
)
def test_hours_of_days_by_counting_minutes(first, last, start, end, minute):
    if start == end:
        return
    text = f"{first}-{last} {start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"
    days = [
        (DAYS.index(first) + i) % 7 for i in range((DAYS.index(last) - DAYS.index(first)) % 7 + 1)
    ]
    length = (end - start) % 1440
    expected = any((minute - (day * 1440 + start)) % (7 * 1440) < length for day in days)
    (part,) = read_quiet(text)
    assert part.holds(MONDAY + timedelta(minutes=minute)) is expected


@given(st.text(alphabet="MonTueSat0123456789:-, ", max_size=24))
def test_anything_else_is_refused_with_an_example(text):
    try:
        read_quiet(text)
    except ValueError as error:
        assert "such as Sat-Sun" in str(error)


@pytest.mark.parametrize(
    "text", ["", ",", "Sa-So", "Sat Sun", "25:00-06:00", "24:30-06:00", "8-18"]
)
def test_these_are_none(text):
    with pytest.raises(ValueError, match="quiet times are"):
        read_quiet(text)
