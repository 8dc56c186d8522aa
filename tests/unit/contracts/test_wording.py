"""Numbers, units and counts read the same wherever they are met."""

from __future__ import annotations

import doctest
import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from everfit.contracts import wording
from everfit.contracts.wording import (
    about,
    amount,
    apart,
    confidence,
    count,
    cpu_time,
    duration,
    interval,
    level,
    listed,
    moment,
    number,
    p_number,
    p_value,
    percent,
    plain,
    rounded_up,
    sentence,
    setting,
    size,
)

FINITE = st.floats(allow_nan=False, allow_infinity=False)
ORDINARY = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15)
SHARES = st.floats(0, 1)


def read(text: str) -> float:
    """A written number, as a person reads it."""
    return float(text.replace(",", "").replace("\N{MINUS SIGN}", "-").replace("+", ""))


def test_the_examples_of_the_module_are_true() -> None:
    found = doctest.testmod(wording)
    assert found.attempted >= 15
    assert found.failed == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (12345, "12,345"),
        (-3, "−3"),
        (0.0, "0"),
        (-0.0, "0"),
        (0.5, "0.500"),
        (2.0, "2.00"),
        (-3.14159, "−3.14"),
        (99.96, "100"),
        (9.996, "10.0"),
        (1234.5678, "1,235"),
        (123456.7, "123,457"),
        (0.0123456, "0.0123"),
        (0.00012345, "0.000123"),
        (0.0000123, "1.23e−5"),
        (-1e-9, "−1.00e−9"),
        (1e12, "1.00e12"),
        (None, "–"),
        (math.nan, "NaN"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
    ],
)
def test_a_measured_number_has_three_significant_digits(value: float | None, text: str) -> None:
    assert number(value) == text


@given(ORDINARY)
def test_a_written_number_is_the_number_to_three_digits(value: float) -> None:
    assert read(number(value)) == pytest.approx(value, rel=0.5001e-2)
    assert read(plain(value)) == read(number(value))


@given(FINITE, st.sampled_from([None, "$", "€", "min", "kWh"]), st.booleans())
def test_there_is_one_minus_sign_and_it_stands_first(
    value: float, unit: str | None, signed: bool
) -> None:
    text = amount(value, unit, signed=signed)
    assert "-" not in text
    mantissa = text.partition("e")[0]
    assert ("−" in mantissa) == (text.startswith("−"))
    assert text.startswith("−") == (value < 0)
    assert text.startswith("+") == (signed and value > 0)


@given(FINITE)
def test_a_number_and_its_opposite_read_alike(value: float) -> None:
    assert number(value).lstrip("−") == number(-value).lstrip("−")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.05, "0.05"),
        (2.0, "2"),
        (1200.0, "1,200"),
        (100, "100"),
        (1e-9, "1e−9"),
        (-0.5, "−0.5"),
    ],
)
def test_a_set_number_has_no_zeros_at_its_end(value: float, text: str) -> None:
    assert plain(value) == text


@pytest.mark.parametrize(
    ("unit", "text"),
    [("$", "−$4.12"), ("€", "−€4.12"), ("min", "−4.12 min"), ("%", "−4.12 %"), (None, "−4.12")],
)
def test_a_currency_stands_before_the_number_and_other_units_after_it(
    unit: str | None, text: str
) -> None:
    assert amount(-4.1178, unit) == text


def test_a_limit_has_its_unit_and_no_zeros() -> None:
    assert (setting(5.0, "$"), setting(0.5, "min"), setting(None, "$")) == ("$5", "0.5 min", "–")


@given(st.lists(ORDINARY, min_size=2, max_size=4))
def test_numbers_beside_each_other_read_differently_where_they_differ(
    values: list[float],
) -> None:
    texts = apart(*values)
    for one, text in zip(values, texts, strict=True):
        for other, its in zip(values, texts, strict=True):
            if text == its:
                assert one == pytest.approx(other, rel=1e-8, abs=1e-300)
            else:
                assert one != other


def test_an_interval_names_its_unit_twice() -> None:
    assert interval(-0.1, 0.25, "$") == "−$0.100 to $0.250"
    assert interval(0.95, 0.9501) == "0.9500 to 0.9501"


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.95, "95 %"),
        (0.123, "12.3 %"),
        (0.0004, "0.04 %"),
        (0.9999, "> 99.9 %"),
        (1e-7, "< 0.001 %"),
        (-0.5, "−50 %"),
        (12.5, "1,250 %"),
        (None, "–"),
        (math.nan, "NaN %"),
    ],
)
def test_percentages(share: float | None, text: str) -> None:
    assert percent(share) == text


@given(SHARES)
def test_a_percentage_is_certain_only_where_it_is(share: float) -> None:
    text = percent(share)
    assert text.endswith(" %")
    assert (text == "0 %") == (share == 0)
    assert (text == "100 %") == (share == 1)
    if text[0] not in "<>":
        assert read(text[:-2]) == pytest.approx(100 * share, rel=0.51e-2)


@given(SHARES)
@example(0.04999999)
@example(math.nextafter(0.05, 0))
@example(0.0100001)
@example(0.00999)
@example(0.09999)
def test_a_p_value_never_changes_sides_of_a_common_level(p: float) -> None:
    """Written 0.05, 0.01 or 0.001, it is that, or on the side it was on."""
    text = p_number(p)
    if text == "< 0.001":
        assert p < 0.001
    elif text == "> 0.99":
        assert 0.99 < p < 1
    else:
        for common in (0.01, 0.05):
            assert (float(text) < common) == (p < common)
        assert float(text) == pytest.approx(p, abs=0.0051)
    assert p_value(p) == f"p-value {text}"


@pytest.mark.parametrize(
    ("alpha", "text"),
    [
        (1 / 580, "99.8 %"),
        (0.05, "95 %"),
        (0.025, "97.5 %"),
        (0.1, "90 %"),
        (0.001, "99.9 %"),
        (0.0012, "99.8 %"),
        (1e-6, "99.9999 %"),
        (0.0, "100 %"),
        (1.0, "0 %"),
    ],
)
def test_the_confidence_that_an_error_rate_leaves(alpha: float, text: str) -> None:
    assert level(alpha) == text


@given(st.floats(1e-12, 1))
def test_no_more_confidence_is_claimed_than_holds(alpha: float) -> None:
    """At most what is left of 1, and at least what twice the error rate would leave."""
    claimed = read(level(alpha).removesuffix(" %")) / 100
    assert claimed <= 1 - alpha + 1e-15
    assert claimed >= 1 - 2 * alpha - 1e-3
    assert confidence(alpha).startswith(level(alpha))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (count(1, "holdout evaluation"), "1 holdout evaluation"),
        (count(2, "holdout evaluation"), "2 holdout evaluations"),
        (count(0, "row"), "0 rows"),
        (count(12_000, "row"), "12,000 rows"),
        (count(2, "entry"), "2 entries"),
        (count(2, "day"), "2 days"),
        (count(3, "class"), "3 classes"),
        (count(3, "index", "indices"), "3 indices"),
        (listed([]), ""),
        (listed(["a"]), "a"),
        (listed(["a", "b", "c"], "or"), "a, b or c"),
        (sentence("nothing moved"), "Nothing moved."),
        (sentence("Why?"), "Why?"),
        (sentence("  "), ""),
    ],
)
def test_things_are_counted_and_listed_in_good_english(text: str, wanted: str) -> None:
    assert text == wanted


@given(st.floats(0.01, 1e12))
def test_an_estimate_is_rounded_up_to_two_digits(value: float) -> None:
    found = rounded_up(value)
    assert value <= found <= max(math.ceil(value), value * 1.1 + 1e-9)
    assert len(str(found).rstrip("0")) <= 2
    assert about(value) == f"{found:,}"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.00123, "1.23 ms"),
        (0.85, "850 ms"),
        (0.9999, "1 s"),
        (12.34, "12.3 s"),
        (59.99, "1 min"),
        (60, "1 min"),
        (90, "1 min 30 s"),
        (3599.6, "1 h"),
        (3 * 3600 + 20 * 60, "3 h 20 min"),
        (47 * 3600, "47 h"),
        (2 * 86400, "2 days"),
        (2 * 86400 + 7200, "2 days 2 h"),
        (400 * 86400, "400 days"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


IN_SECONDS = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "day": 86400, "days": 86400}


@given(st.floats(1e-3, 1e9))
def test_a_duration_is_right_to_one_percent_or_a_day(seconds: float) -> None:
    words = duration(seconds).split()
    total = sum(
        read(many) * IN_SECONDS[unit] for many, unit in zip(words[::2], words[1::2], strict=True)
    )
    assert total == pytest.approx(seconds, rel=0.1 if seconds > 8e5 else 0.01)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.5, "0.5 CPU s"), (35.9, "35.9 CPU s"), (36, "0.01 CPU hours"), (3600, "1 CPU hour")],
)
def test_work_is_in_cpu_hours(seconds: float, text: str) -> None:
    assert cpu_time(seconds) == text


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (999_999, "1 MB"),
        (12_345_678, "12.3 MB"),
        (4e12, "4 TB"),
    ],
)
def test_sizes(octets: float, text: str) -> None:
    assert size(octets) == text


def test_moments_name_their_zone() -> None:
    noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
    assert moment(noon) == "2026-01-05 12:00 UTC"
    assert moment(noon, ZoneInfo("America/New_York")) == "2026-01-05 07:00 America/New_York"
