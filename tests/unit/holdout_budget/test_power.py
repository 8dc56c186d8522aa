"""What can be told with how many rows: against scipy, textbooks and trials."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from everfit.contracts.spec.gate import GateSpec
from everfit.ml.holdout_budget.power import (
    chance,
    detectable,
    half_width,
    needed,
    rows_to_detect,
    worth_finding,
)


def gate(**values):
    return GateSpec(baseline="median", **values)


def test_half_widths_are_those_of_scipy():
    for alpha in (0.025, 0.002, 1e-5):
        assert half_width(0.3, alpha) == pytest.approx(0.3 * norm.isf(alpha))
    with pytest.raises(ValueError, match="between 0 and 1"):
        half_width(0.3, 0.0)


def test_the_textbook_difference_is_two_point_eight_standard_errors():
    """Gelman and Hill, Data Analysis Using Regression, section 20.1: 2.8 at 5 % and 80 %."""
    assert detectable(0.0, half_width(1.0, 0.025), 1.0) == pytest.approx(2.8, abs=0.005)


def test_eight_of_ten_trials_find_what_is_detectable():
    error, need = 0.2, 0.05
    below = half_width(error, 0.01)
    truth = detectable(need, below, error)
    estimates = truth + error * np.random.default_rng(1).standard_normal(200_000)
    assert np.mean(estimates - below >= need) == pytest.approx(0.8, abs=0.004)
    assert chance(truth, need, below, error) == pytest.approx(0.8)
    assert chance(need + below, need, below, error) == 0.5


def test_so_many_rows_make_it_detectable():
    error, rows, need, gain = 0.2, 400, 0.05, 0.2
    below = half_width(error, 0.01)
    more = rows_to_detect(gain, need, below, error, rows)
    shrunk = error * (rows / more) ** 0.5
    assert detectable(need, half_width(shrunk, 0.01), shrunk) == pytest.approx(gain, rel=1e-3)
    assert rows_to_detect(0.05, need, below, error, rows) is None


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(1e-6, 1), st.floats(1e-6, 0.4), st.floats(0, 1))
def test_a_greater_gain_is_found_more_often(need, gain, error, alpha, more):
    below = half_width(error, alpha)
    assert chance(gain + more, need, below, error) >= chance(gain, need, below, error)


def test_without_error_a_gain_is_found_or_not():
    assert (chance(0.1, 0.1, 0.0, 0.0), chance(0.09, 0.1, 0.0, 0.0)) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("spec", "need", "effect"),
    [
        ({"superior_by": "1%"}, 0.02, 0.04),
        ({"superior_by": 0.5}, 0.5, 1.0),
        ({"superior_by": "1%", "effect": 0.3}, 0.02, 0.3),
        ({"superior_by": 0}, 0.0, 0.0),
        ({"not_worse_than": "0.5%"}, -0.01, 0.0),
        ({"not_worse_than": 0.1, "effect": "5%"}, -0.1, 0.1),
    ],
)
def test_what_is_needed_and_worth_finding(spec, need, effect):
    """Of a baseline that scores 2, or −2 where the metric can be negative."""
    for score in (2.0, -2.0):
        assert needed(gate(**spec), score) == pytest.approx(need)
        assert worth_finding(gate(**spec), score) == pytest.approx(effect)
