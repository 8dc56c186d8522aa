"""Over-dispersion from past spans whose truth is planted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from everfit.steps.monitor.dispersion import (
    Timeline,
    different_columns,
    moderate,
    past_spread,
    successive_spread,
)

ROWS = 1_000.0


def spread(places, current, first=0, wide=3, dims=1, how=past_spread):
    """Past of spans at ``places``, the reference being ``wide`` of them from ``first`` on."""
    places = np.asarray(places, dtype=float).reshape(len(places), -1)
    inside = np.zeros(len(places), dtype=bool)
    inside[first : first + wide] = True
    timeline = Timeline(np.full(len(places), ROWS), inside)
    effective = ROWS * 3 * ROWS / (4 * ROWS)
    return how(places, np.atleast_1d(float(current)), dims, timeline, effective)


@pytest.mark.parametrize("extra", [0.0, 0.05])
def test_it_is_how_much_more_spans_differ_than_their_rows_would(extra):
    rng = np.random.default_rng(1)
    variance = 1 / ROWS + extra**2
    found = [
        spread(rng.normal(0, np.sqrt(variance), 40), 0.0, first=36).variance for _ in range(300)
    ]
    # Both sides have the extra; the window before has it once for each of its three spans.
    expected = 1 + extra**2 * (1 + 1 / 3) / ((1 + 1 / 3) / ROWS)
    assert np.mean(found) == pytest.approx(expected, rel=0.1)


def test_too_short_a_past_says_nothing():
    found = spread([0.0, 0.1, -0.1], 0.0)
    assert (found.comparisons, found.variance, found.growth) == (0, 1.0, 1.0)


def test_a_season_is_normal_once_it_is_in_the_past():
    wave = 0.3 * np.sin(2 * np.pi * np.arange(24) / 12)
    found = spread(wave[:20], wave[20], first=16)
    assert found.variance > 0.3**2 * ROWS / 2


def test_spans_that_moved_with_the_current_one_do_not_excuse_it():
    rng = np.random.default_rng(2)
    places = rng.normal(0, 1 / np.sqrt(ROWS), 20)
    places[14:] += 1.0
    assert spread(places, 1.0, first=10).variance < 4


def test_an_old_shift_is_not_normal_but_a_return_to_it_is():
    rng = np.random.default_rng(3)
    places = rng.normal(0, 1 / np.sqrt(ROWS), 24)
    places[:10] += 1.0
    assert spread(places, -0.4, first=20).variance < 4
    assert spread(places, 1.0, first=20).variance > 50


def test_larger_spans_now_than_then_are_told():
    places = np.random.default_rng(4).normal(0, 0.1, (12, 1))
    timeline = Timeline(np.full(12, 100.0), np.arange(12) >= 9)
    found = past_spread(places, np.zeros(1), 1, timeline, 7_500.0)
    assert found.growth == pytest.approx(7_500 / 75, rel=0.2)


def test_directions_are_counted():
    rng = np.random.default_rng(5)
    free = rng.normal(0, 1 / np.sqrt(ROWS), (60, 6))
    one = rng.normal(0, 1, (60, 1)) * np.ones((1, 6))
    timeline = Timeline(np.full(60, ROWS), np.arange(60) >= 57)
    assert past_spread(free, np.zeros(6), 6, timeline, 750.0).dims > 4
    assert past_spread(one, np.zeros(6), 6, timeline, 750.0).dims == pytest.approx(1, abs=0.01)


def test_columns_that_are_alike_inform_one_another():
    rng = np.random.default_rng(6)
    found = 2.5 * stats.chi2.rvs(5, size=40, random_state=rng) / 5
    drawn, freedom = moderate(list(found), [5.0] * 40, 40)
    assert np.median(drawn) == pytest.approx(2.5, rel=0.25)
    assert np.std(drawn) < np.std(found) / 2
    assert np.median(freedom) > 15


def test_a_column_that_stands_out_keeps_its_own():
    variances = [1.0, 1.2, 0.7, 0.9, 1.1, 1.3, 0.8, 1.0, 60.0]
    drawn, freedom = moderate(variances, [6.0] * 9, 9)
    assert (drawn[-1], freedom[-1]) == (60.0, 6.0)
    assert drawn[0] == pytest.approx(1.0, abs=0.2)


def test_few_columns_are_left_alone():
    drawn, freedom = moderate([1.0, 5.0], [3.0, 4.0], 2)
    assert (list(drawn), list(freedom)) == ([1.0, 5.0], [3.0, 4.0])


def successive(places, current, **where):
    return spread(places, current, how=successive_spread, **where)


@pytest.mark.parametrize("wide", [1, 3])
def test_later_spans_say_how_much_spans_differ_though_all_lie_apart_from_the_reference(wide):
    # The reference's own luck moves all later spans alike: that is no spread, and no drift.
    rng = np.random.default_rng(7)
    found = []
    for _ in range(300):
        places = rng.normal(0, np.sqrt(10 / ROWS), 12)
        places -= places[:wide].mean()
        found.append(successive(places, rng.normal(0, np.sqrt(10 / ROWS)), wide=wide))
    assert min(spread.comparisons for spread in found) >= 3
    assert np.mean([spread.variance for spread in found]) == pytest.approx(10, rel=0.15)


def test_two_spans_say_nothing_and_three_do():
    assert successive([0.0, 0.1], 0.0, wide=2).comparisons == 0
    found = successive([0.0, 0.1, -0.1], 0.0)
    assert (found.comparisons, found.freedom) == (2, pytest.approx(4 / 3))


def test_where_the_drift_in_question_began_is_no_spread():
    rng = np.random.default_rng(8)
    places = rng.normal(0, 1 / np.sqrt(ROWS), 14)
    places[8:] += 1.0
    assert successive(places, 1.0).variance < 4
    # A single odd jump may be a season's: it counts unless the current span has made it too.
    assert successive(places, 0.0).variance > 20


def test_what_spans_have_of_their_own_grows_with_the_rows_compared():
    places = np.random.default_rng(9).normal(0, 0.1, (12, 1))
    timeline = Timeline(np.full(12, 100.0), np.arange(12) >= 9)
    # Of three spans of 100 rows the luck is a third; a span of 10,000 has as much as any other.
    effective = 300 * 10_000 / 10_300
    found = successive_spread(places, np.zeros(1), 1, timeline, effective)
    assert found.growth == pytest.approx(effective * (1 + 1 / 3) / (50 * 2))


def test_columns_that_repeat_one_another_count_as_one():
    rng = np.random.default_rng(10)
    own = list(rng.chisquare(1, (20, 30)))
    same = [np.array(own[0])] * 20
    assert different_columns(own) > 10
    assert different_columns(same) == pytest.approx(1)
    assert different_columns([*own[:10], *same[:10]]) < 5
    variances, freedom = moderate([1.0, 2.0, 3.0, 4.0], [3.0] * 4, 1)
    assert max(freedom) <= 6
    assert all(1.0 <= value <= 4.0 for value in variances)
