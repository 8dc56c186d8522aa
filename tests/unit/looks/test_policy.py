"""What a look may spend: by hand, and never more than the year's budget however one looks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_components.contracts.base import digest_of
from pipeline_components.contracts.gate_spec import GateSpec
from pipeline_components.contracts.looks import Look
from pipeline_components.contracts.spans import Span
from pipeline_components.looks.policy import (
    last_year,
    next_look,
    pool_after,
    rows_to_refill,
    whole,
    years_to_refill,
)
from pipeline_components.looks.spend import spend

GATE = GateSpec(superior_by="1%", baseline="median")
START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = 1 / 365.25


def days(first: float, length: float, rows: int = 1000, name: str = "") -> Span:
    """A span of so many days from the first of January 2024 on."""
    start = START + timedelta(days=first)
    end = start + timedelta(days=length)
    name = name or f"{first}+{length}"
    return Span(
        name=name, digest=digest_of(name), rows=rows, size=1,
        time_min=start.isoformat(), time_max=end.isoformat(),
    )  # fmt: skip


def timeless(name: str) -> Span:
    return Span(name=name, digest=digest_of(name), rows=1000, size=1)


def look_at(*holdouts, gate=GATE) -> list[Look]:
    looks: list[Look] = []
    for number, holdout in enumerate(holdouts):
        spans = [holdout] if isinstance(holdout, Span) else holdout
        looks.append(next_look(digest_of(number), looks, spans, gate))
    return looks


def test_a_first_look_spends_half_of_what_its_days_bring():
    (look,) = look_at(days(0, 30))
    assert look.refilled == pytest.approx(0.05 * 30 / 365.25)
    assert look.alpha == pytest.approx(0.05 * 30 / 365.25 / 2)
    assert (look.sequence, look.pool) == (1, look.refilled)
    (span,) = look.spans
    assert (span.fresh, span.years, span.new) == (True, pytest.approx(30 * DAY), span.years)
    assert (span.start, span.end) == ("2024-01-01T00:00:00.000Z", "2024-01-31T00:00:00.000Z")


def test_looks_at_the_same_days_spend_half_of_the_rest_until_a_sixteenth_then_nothing():
    looks = look_at(*[days(0, 30)] * 6)
    brought = 0.05 * 30 / 365.25
    shares = [look.alpha / brought for look in looks]
    assert shares == pytest.approx([1 / 2, 1 / 4, 1 / 8, 1 / 16, 0, 0])
    assert [look.refilled for look in looks[1:]] == [0.0] * 5
    assert not any(span.fresh for look in looks[1:] for span in look.spans)


def test_an_exhausted_budget_says_how_many_rows_refill_it():
    looks = look_at(*[days(0, 30, rows=3000)] * 5)
    # the pool holds 1/16 of 30 days, and 2/16 are needed for half of it to be 1/16
    assert years_to_refill(looks[:4], looks[4], GATE) == pytest.approx(30 * DAY / 16, rel=1e-5)
    assert rows_to_refill(looks[:4], looks[4], GATE) == 188  # 3000 / 16 = 187.5
    assert look_at(*[days(0, 30)] * 5, days(30, 30 / 15))[-1].alpha > 0
    assert years_to_refill(looks[:3], looks[3], GATE) == 0


def test_monthly_looks_settle_at_what_a_month_brings():
    looks = look_at(*(days(30 * n, 30) for n in range(60)))
    month = 0.05 * 30 / 365.25
    assert looks[-1].alpha == pytest.approx(month, rel=1e-6)
    assert sum(look.alpha for look in looks[-12:]) <= 0.05
    assert all(look.alpha > 0 for look in looks)


def test_the_level_is_never_larger_than_that_of_the_interval_shown():
    (look,) = look_at(days(0, 360), gate=GATE.model_copy(update={"confidence": 0.99}))
    assert look.alpha == pytest.approx(0.005)


def test_one_look_brings_a_year_at_most():
    (look,) = look_at([days(400 * n, 365.25) for n in range(3)])
    assert look.refilled == pytest.approx(0.05)
    assert whole(look, GATE) == pytest.approx(0.05)


def test_time_that_was_looked_at_is_not_new_again():
    grown = look_at(days(0, 90), days(0, 97))  # a file that only grows
    assert grown[1].refilled == pytest.approx(0.05 * 7 / 365.25)
    rolling = look_at(*(days(n, 30) for n in range(200)))  # each day one of the last thirty
    assert sum(look.refilled for look in rolling) == pytest.approx(0.05 * 229 / 365.25)
    mended = look_at(days(0, 30), days(0, 30, name="delivered once more"))
    assert (mended[1].refilled, mended[1].spans[0].fresh) == (0.0, True)
    parts = look_at([days(0, 30, name="north"), days(0, 30, name="south"), days(20, 20)])
    assert parts[0].refilled == pytest.approx(0.05 * 40 / 365.25)
    assert [span.years for span in parts[0].spans] == pytest.approx([30 * DAY, 0, 10 * DAY])


def test_dates_without_hours_last_until_the_next():
    """A daily file of dates covers no time by itself; ``span_lasts`` ends where the next begins."""
    looks = look_at(*(days(n, 0) for n in range(100)))
    assert sum(look.refilled for look in looks) == pytest.approx(0.05 * (99 + 30) / 365.25)


def test_spans_without_times_last_as_long_as_the_spec_says():
    looks = look_at(timeless("a"), timeless("b"), timeless("b"))
    assert [look.refilled for look in looks] == pytest.approx([0.05 * 30 / 365.25] * 2 + [0])
    (week,) = look_at(timeless("a"), gate=GATE.model_copy(update={"span_lasts": "1w"}))
    assert week.refilled == pytest.approx(0.05 * 7 / 365.25)
    assert (week.spans[0].start, week.spans[0].end) == (None, None)


@pytest.mark.parametrize(
    "times",
    [
        {"time_min": "2024-02-01", "time_max": "2024-01-01"},
        {"time_min": "long ago", "time_max": "2024-01-01"},
        {"time_min": "9999-12-31T23:00:00", "time_max": "9999-12-31T23:00:00"},
    ],
)
def test_times_that_make_no_sense_are_no_times(times):
    (look,) = look_at(timeless("a").model_copy(update=times))
    assert look.refilled == pytest.approx(0.05 * 30 / 365.25)


def test_a_period_counts_before_the_times_of_the_rows():
    span = days(3, 20).model_copy(
        update={"period_start": "2024-01-01", "period_end": "2024-02-01T00:00:00+00:00"}
    )
    (look,) = look_at(span)
    assert look.refilled == pytest.approx(0.05 * 31 / 365.25)


def test_a_sliding_window_refills_for_the_span_that_came():
    windows = [[days(30 * n, 30) for n in range(first, first + 6)] for first in range(4)]
    looks = look_at(*windows)
    assert looks[1].refilled == pytest.approx(0.05 * 30 / 365.25)
    assert [span.fresh for span in looks[1].spans] == [False] * 5 + [True]
    assert whole(looks[1], GATE) == pytest.approx(0.05 * 180 / 365.25)


def test_what_was_saved_in_other_years_is_not_spent_in_one():
    """Years of one look each leave much in the pool; no one year may spend it all."""
    saved = [days(366 * n, 365.25) for n in range(8)]
    again = [days(366 * 7, 365.25)] * 20
    looks = look_at(*saved, *again)
    assert pool_after(looks) > 0.05
    assert sum(look.alpha for look in looks[7:]) <= 0.05 + 1e-12
    assert looks[-1].alpha == 0
    # an old look must be a year behind before this one's rows may be looked at once more
    assert years_to_refill(looks[:-1], looks[-1], GATE) <= 1 + 1e-6


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 900), st.sampled_from([0.0, 1.0, 7.0, 30.0, 400.0])),
        min_size=1, max_size=30,
    )
)  # fmt: skip
def test_no_order_of_looks_spends_more_than_was_added_nor_a_year_more_than_its_budget(holdouts):
    looks = look_at(*(days(first, length) for first, length in holdouts))
    assert pool_after(looks) >= -1e-12
    for number, look in enumerate(looks):
        assert 0 <= look.alpha <= 0.025
        assert look.alpha <= look.pool / 2 + 1e-15
        year = [*last_year(looks[:number], look), look]
        assert sum(one.alpha for one in year) <= 0.05 + 1e-12
    first, last = min(f for f, _ in holdouts), max(f + (n or 30) for f, n in holdouts)
    added = sum(look.refilled for look in looks)
    assert added <= 0.05 * (last - first) / 365.25 + 1e-9


@given(st.lists(st.sampled_from([0, 0, 0, 1]), min_size=1, max_size=30))
def test_the_rows_it_asks_for_do_refill_it(steps):
    """Whenever it says hold, as much new time as it names is enough."""
    place, holdouts = 0, []
    for step in steps:
        place += step
        holdouts.append(days(30 * place, 30))
    looks = look_at(*holdouts)
    before, last = looks[:-1], looks[-1]
    more = years_to_refill(before, last, GATE) * 365.25
    if last.alpha == 0:
        # judged on the newest thirty days, of which so many are new
        following = days(30 * place + more + 0.001, 30)
        assert next_look(digest_of("next"), looks, [following], GATE).alpha > 0
        too_few = days(30 * place + more * 0.98, 30)
        assert next_look(digest_of("next"), looks, [too_few], GATE).alpha == 0


def test_arrays_spend_as_numbers_do():
    pools = np.array([0.004, 0.002, 0.0002, 0.2, 0.0])
    wholes = np.array([0.004, 0.004, 0.004, 0.2, 0.0])
    expected = [spend(float(p), float(w), 0.025) for p, w in zip(pools, wholes, strict=True)]
    assert spend(pools, wholes, 0.025).tolist() == expected == [0.002, 0.001, 0.0, 0.025, 0.0]


def test_nothing_looked_at_spends_nothing():
    (look,) = look_at([])
    assert (look.alpha, look.pool, rows_to_refill([], look, GATE)) == (0, 0, 0)
