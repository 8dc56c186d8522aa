"""What an evaluation may spend: by hand, and never more than the year's budget in any order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everfit.contracts.base import digest_of
from everfit.contracts.messages.evaluations import HoldoutEvaluation
from everfit.contracts.messages.spans import Span
from everfit.contracts.spec.gate import GateSpec
from everfit.ml.holdout_budget.policy import (
    EvaluatedRun,
    HoldoutRows,
    last_year,
    next_evaluation,
    pool_after,
    rows_to_refill,
    whole,
    years_to_refill,
)
from everfit.ml.holdout_budget.spend import SMALLEST, spend
from everfit.ml.scoring import tails

GATE = GateSpec(superior_by="1%", baseline="median")
START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = 1 / 365.25
LATER = datetime(2040, 1, 1, tzinfo=UTC)
"""After all that the tests date."""
ROWS = HoldoutRows(LATER)


def days(first: float, length: float, rows: int = 1000, name: str = "") -> Span:
    """A span of so many days from the first of January 2024 on."""
    start = START + timedelta(days=first)
    end = start + timedelta(days=length)
    name = name or f"{first}+{length}"
    return Span(
        name=name,
        digest=digest_of(name),
        rows=rows,
        size=1,
        time_min=start.isoformat(),
        time_max=end.isoformat(),
    )


def timeless(name: str) -> Span:
    return Span(name=name, digest=digest_of(name), rows=1000, size=1)


def run(name: object) -> EvaluatedRun:
    return EvaluatedRun(digest_of(name), "trips", "fare")


def evaluate(*holdouts, gate=GATE, rows=ROWS) -> list[HoldoutEvaluation]:
    """One evaluation on each holdout, in this order."""
    evaluations: list[HoldoutEvaluation] = []
    for number, holdout in enumerate(holdouts):
        spans = [holdout] if isinstance(holdout, Span) else holdout
        evaluations.append(next_evaluation(run(number), evaluations, spans, gate, rows))
    return evaluations


def test_a_first_evaluation_spends_half_of_what_its_days_bring():
    (one,) = evaluate(days(0, 30))
    assert one.refilled == pytest.approx(0.05 * 30 / 365.25)
    assert one.alpha == pytest.approx(0.05 * 30 / 365.25 / 2)
    assert (one.sequence, one.pool) == (1, one.refilled)
    (span,) = one.spans
    assert (span.fresh, span.years, span.new) == (True, pytest.approx(30 * DAY), span.years)
    assert (span.start, span.end) == ("2024-01-01T00:00:00.000Z", "2024-01-31T00:00:00.000Z")


def test_evaluations_on_the_same_days_spend_half_of_the_rest_until_a_sixteenth_then_nothing():
    evaluations = evaluate(*[days(0, 30)] * 6)
    brought = 0.05 * 30 / 365.25
    shares = [one.alpha / brought for one in evaluations]
    assert shares == pytest.approx([1 / 2, 1 / 4, 1 / 8, 1 / 16, 0, 0])
    assert [one.refilled for one in evaluations[1:]] == [0.0] * 5
    assert not any(span.fresh for one in evaluations[1:] for span in one.spans)


def test_an_exhausted_budget_says_how_many_rows_refill_it():
    evaluations = evaluate(*[days(0, 30, rows=3000)] * 5)
    # the pool holds 1/16 of 30 days, and 2/16 are needed for half of it to be 1/16
    assert years_to_refill(evaluations[:4], evaluations[4], GATE) == pytest.approx(
        30 * DAY / 16, rel=1e-5
    )
    assert rows_to_refill(evaluations[:4], evaluations[4], GATE) == 188  # 3000 / 16 = 187.5
    assert evaluate(*[days(0, 30)] * 5, days(30, 30 / 15))[-1].alpha > 0
    assert years_to_refill(evaluations[:3], evaluations[3], GATE) == 0


def test_monthly_evaluations_settle_at_what_a_month_brings():
    evaluations = evaluate(*(days(30 * n, 30) for n in range(60)))
    month = 0.05 * 30 / 365.25
    assert evaluations[-1].alpha == pytest.approx(month, rel=1e-6)
    assert sum(one.alpha for one in evaluations[-12:]) <= 0.05
    assert all(one.alpha > 0 for one in evaluations)


def test_the_level_is_never_larger_than_that_of_the_interval_shown():
    (one,) = evaluate(days(0, 360), gate=GATE.model_copy(update={"confidence": 0.99}))
    assert one.alpha == pytest.approx(0.005)


def test_one_evaluation_brings_a_year_at_most():
    (one,) = evaluate([days(400 * n, 365.25) for n in range(3)])
    assert one.refilled == pytest.approx(0.05)
    assert whole(one, GATE) == pytest.approx(0.05)


def test_time_that_was_evaluated_is_not_new_again():
    grown = evaluate(days(0, 90), days(0, 97))  # a file that only grows
    assert grown[1].refilled == pytest.approx(0.05 * 7 / 365.25)
    rolling = evaluate(*(days(n, 30) for n in range(200)))  # each day one of the last thirty
    assert sum(one.refilled for one in rolling) == pytest.approx(0.05 * 229 / 365.25)
    fixed = evaluate(days(0, 30), days(0, 30, name="delivered once more"))
    assert (fixed[1].refilled, fixed[1].spans[0].fresh) == (0.0, True)
    parts = evaluate([days(0, 30, name="north"), days(0, 30, name="south"), days(20, 20)])
    assert parts[0].refilled == pytest.approx(0.05 * 40 / 365.25)
    assert [span.years for span in parts[0].spans] == pytest.approx([30 * DAY, 0, 10 * DAY])


def test_dates_without_hours_last_until_the_next():
    """A daily file of dates covers no time by itself; ``span_lasts`` ends where the next begins."""
    evaluations = evaluate(*(days(n, 0) for n in range(100)))
    assert sum(one.refilled for one in evaluations) == pytest.approx(0.05 * (99 + 30) / 365.25)


def test_spans_without_times_are_dated_by_when_they_were_first_seen():
    """Thirty days each, of which only those that passed since the last one are new."""
    seen = {digest_of("a"): START, digest_of("b"): START + timedelta(days=7)}
    rows = HoldoutRows(START + timedelta(days=8), seen)
    evaluations = evaluate(timeless("a"), timeless("b"), timeless("b"), rows=rows)
    brought = [one.refilled for one in evaluations]
    assert brought == pytest.approx([0.05 * 30 / 365.25, 0.05 * 7 / 365.25, 0])
    (span,) = evaluations[1].spans
    assert (span.start, span.end) == ("2023-12-09T00:00:00.000Z", "2024-01-08T00:00:00.000Z")
    (week,) = evaluate(timeless("a"), gate=GATE.model_copy(update={"span_lasts": "1w"}))
    assert week.refilled == pytest.approx(0.05 * 7 / 365.25)


def test_many_files_without_times_that_come_at_once_bring_no_more_than_one():
    rows = HoldoutRows(LATER, {digest_of(name): START for name in "abcdefgh"})
    evaluations = evaluate(*map(timeless, "abcdefgh"), rows=rows)
    assert sum(one.refilled for one in evaluations) == pytest.approx(0.05 * 30 / 365.25)


def test_a_row_dated_2099_neither_loosens_an_evaluation_nor_starves_the_next():
    now = START + timedelta(days=30)
    usual = (START, now)
    wrong = days(0, 30).model_copy(update={"time_max": "2099-01-01T00:00:00"})
    (first,) = evaluate(wrong, rows=HoldoutRows(now, usual=usual))
    assert first.refilled == pytest.approx(0.05 * 30 / 365.25)
    later = HoldoutRows(now + timedelta(days=30))
    after = next_evaluation(run("next"), [first], [days(30, 30)], GATE, later)
    assert after.refilled == pytest.approx(0.05 * 30 / 365.25)
    assert after.alpha > 0


def test_without_its_rows_a_wrong_time_reaches_no_further_than_now():
    now = START + timedelta(days=31)
    wrong = days(0, 30).model_copy(update={"time_max": "2099-01-01T00:00:00"})
    (first,) = evaluate(wrong, rows=HoldoutRows(now))
    assert first.refilled == pytest.approx(0.05 * 31 / 365.25)


def test_a_file_named_after_a_year_to_come_is_dated_by_when_it_was_seen():
    now = START + timedelta(days=60)
    future = days(0, 30).model_copy(
        update={"period_start": "2098-01-01", "period_end": "2099-01-01", "time_max": None}
    )
    (one,) = evaluate(future, rows=HoldoutRows(now))
    assert one.refilled == pytest.approx(0.05 * 30 / 365.25)
    assert one.spans[0].end == "2024-03-01T00:00:00.000Z"


def test_rows_evaluated_before_refill_nothing_under_another_date():
    first, again = evaluate(days(0, 30), days(60, 30))
    assert again.refilled == pytest.approx(0.05 * 30 / 365.25)
    spans = [days(60, 30)]
    for new, share in ((0.0, 0.0), (0.25, 0.25), (1.0, 1.0)):
        rows = HoldoutRows(LATER, new=new)
        evaluation = next_evaluation(run("again"), [first], spans, GATE, rows)
        assert evaluation.refilled == pytest.approx(share * 0.05 * 30 / 365.25)
        assert evaluation.new_rows == new


def test_hourly_evaluations_wait_until_they_can_afford_a_level_that_is_published():
    """An hour brings 5.7e-6 false promotions, and no interval is published below 1e-5."""
    evaluations = evaluate(*(days(hour / 24, 1 / 24) for hour in range(200)))
    spent = [one.alpha for one in evaluations if one.alpha]
    assert min(spent) >= SMALLEST
    assert 0.25 < len(spent) / len(evaluations) < 0.75
    added = sum(one.refilled for one in evaluations)
    assert sum(spent) <= added
    assert sum(spent) > added - 4 * SMALLEST


def test_no_smaller_level_is_spent_than_is_published():
    assert SMALLEST == tails.SMALLEST == min(tails.LEVELS)


@pytest.mark.parametrize(
    "times",
    [
        {"time_min": "2024-02-01", "time_max": "2024-01-01"},
        {"time_min": "long ago", "time_max": "2024-01-01"},
        {"time_min": "9999-12-31T23:00:00", "time_max": "9999-12-31T23:00:00"},
    ],
)
def test_times_that_make_no_sense_are_no_times(times):
    (one,) = evaluate(timeless("a").model_copy(update=times))
    assert one.refilled == pytest.approx(0.05 * 30 / 365.25)
    assert one.spans[0].end == "2040-01-01T00:00:00.000Z"


def test_a_period_counts_before_the_times_of_the_rows():
    span = days(3, 20).model_copy(
        update={"period_start": "2024-01-01", "period_end": "2024-02-01T00:00:00+00:00"}
    )
    (one,) = evaluate(span)
    assert one.refilled == pytest.approx(0.05 * 31 / 365.25)


def test_a_sliding_window_refills_for_the_span_that_came():
    windows = [[days(30 * n, 30) for n in range(first, first + 6)] for first in range(4)]
    evaluations = evaluate(*windows)
    assert evaluations[1].refilled == pytest.approx(0.05 * 30 / 365.25)
    assert [span.fresh for span in evaluations[1].spans] == [False] * 5 + [True]
    assert whole(evaluations[1], GATE) == pytest.approx(0.05 * 180 / 365.25)


def test_what_was_saved_in_other_years_is_not_spent_in_one():
    """Years of one one each leave much in the pool; no one year may spend it all."""
    saved = [days(366 * n, 365.25) for n in range(8)]
    again = [days(366 * 7, 365.25)] * 20
    evaluations = evaluate(*saved, *again)
    assert pool_after(evaluations) > 0.05
    assert sum(one.alpha for one in evaluations[7:]) <= 0.05 + 1e-12
    assert evaluations[-1].alpha == 0
    # an old one must be a year behind before this one's rows may be evaluated once more
    assert years_to_refill(evaluations[:-1], evaluations[-1], GATE) <= 1 + 1e-6


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 900), st.sampled_from([0.0, 1.0, 7.0, 30.0, 400.0])),
        min_size=1,
        max_size=30,
    )
)
def test_no_order_of_evaluations_spends_more_than_was_added_nor_a_year_more_than_its_budget(
    holdouts,
):
    evaluations = evaluate(*(days(first, length) for first, length in holdouts))
    assert pool_after(evaluations) >= -1e-12
    for number, one in enumerate(evaluations):
        assert 0 <= one.alpha <= 0.025
        assert one.alpha <= one.pool / 2 + 1e-15
        year = [*last_year(evaluations[:number], one), one]
        assert sum(one.alpha for one in year) <= 0.05 + 1e-12
    first, last = min(f for f, _ in holdouts), max(f + (n or 30) for f, n in holdouts)
    added = sum(one.refilled for one in evaluations)
    assert added <= 0.05 * (last - first) / 365.25 + 1e-9


@given(st.lists(st.sampled_from([0, 0, 0, 1]), min_size=1, max_size=30))
def test_the_rows_it_asks_for_do_refill_it(steps):
    """Whenever it says hold, as much new time as it names is enough."""
    place, holdouts = 0, []
    for step in steps:
        place += step
        holdouts.append(days(30 * place, 30))
    evaluations = evaluate(*holdouts)
    before, last = evaluations[:-1], evaluations[-1]
    more = years_to_refill(before, last, GATE) * 365.25
    if last.alpha == 0:
        # judged on the newest thirty days, of which so many are new
        following = days(30 * place + more + 0.001, 30)
        assert next_evaluation(run("next"), evaluations, [following], GATE, ROWS).alpha > 0
        too_few = days(30 * place + more * 0.98, 30)
        assert next_evaluation(run("next"), evaluations, [too_few], GATE, ROWS).alpha == 0


def test_arrays_spend_as_numbers_do():
    pools = np.array([0.004, 0.002, 0.0002, 0.2, 0.0])
    wholes = np.array([0.004, 0.004, 0.004, 0.2, 0.0])
    expected = [spend(float(p), float(w), 0.025) for p, w in zip(pools, wholes, strict=True)]
    assert spend(pools, wholes, 0.025).tolist() == expected == [0.002, 0.001, 0.0, 0.025, 0.0]


def test_nothing_evaluated_spends_nothing():
    (one,) = evaluate([])
    assert (one.alpha, one.pool, rows_to_refill([], one, GATE)) == (0, 0, 0)
