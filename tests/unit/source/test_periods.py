"""Periods in names; the calendar itself is the independent source."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everfit.data.sources.periods import end_of, period_of, start_of


@pytest.mark.parametrize(
    ("name", "pattern", "start", "end"),
    [
        ("2018-01.csv", "%Y-%m", datetime(2018, 1, 1), datetime(2018, 2, 1)),
        ("2018-12.csv", "%Y-%m", datetime(2018, 12, 1), datetime(2019, 1, 1)),
        ("trips_20180228.parquet", "%Y%m%d", datetime(2018, 2, 28), datetime(2018, 3, 1)),
        ("year=2018/month=3/x.csv", "year=%Y/month=%m", datetime(2018, 3, 1), datetime(2018, 4, 1)),
        ("2017/2018-01.csv", "%Y", datetime(2018, 1, 1), datetime(2019, 1, 1)),
        ("log-2018-05-06T23.csv", "%Y-%m-%dT%H", datetime(2018, 5, 6, 23), datetime(2018, 5, 7)),
        ("w2018-W01.csv", "%G-W%V", datetime(2018, 1, 1), datetime(2018, 1, 8)),
        ("2020-060.csv", "%Y-%j", datetime(2020, 2, 29), datetime(2020, 3, 1)),
        ("Jan2018.csv", "%b%Y", datetime(2018, 1, 1), datetime(2018, 2, 1)),
    ],
)
def test_a_name_speaks_of_a_period(name, pattern, start, end):
    assert period_of(name, pattern) == (start, end)


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("notes.csv", "%Y-%m"),
        ("2018-13.csv", "%Y-%m"),
        ("2018-02-30.csv", "%Y-%m-%d"),
        ("120180.csv", "%Y%m"),
    ],
)
def test_a_name_without_the_period_has_none(name, pattern):
    assert period_of(name, pattern) is None


@pytest.mark.parametrize("pattern", ["", "month", "%Q", "%Y-%", "%p"])
def test_what_is_no_pattern_says_so(pattern):
    with pytest.raises(ValueError, match="%"):
        period_of("2018-01.csv", pattern)


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)),
    st.sampled_from(["year", "month", "week", "day", "hour", "minute", "second"]),
)
def test_periods_tile_the_calendar(moment, length):
    start = start_of(moment, length)
    assert start <= moment < end_of(start, length)
    assert start_of(end_of(start, length) - timedelta(microseconds=1), length) == start
    assert start_of(end_of(start, length), length) == end_of(start, length)


@given(st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)), st.text(max_size=20))
def test_a_written_period_is_found_again(moment, around):
    around = "".join(mark for mark in around if not mark.isdigit())
    name = f"{around}{moment:%Y-%m-%d}{around}.csv"
    day = datetime(moment.year, moment.month, moment.day)
    assert period_of(name, "%Y-%m-%d") == (day, day + timedelta(days=1))


@given(st.text(max_size=40), st.text(max_size=12))
def test_nothing_but_value_errors_come_out(name, pattern):
    try:
        period_of(name, pattern)
    except ValueError as error:
        assert str(error)
