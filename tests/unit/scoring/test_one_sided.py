"""One-sided p-values: against Student's, and how often they are wrong over many slices."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from everfit.ml.scoring.holm import holm
from everfit.ml.scoring.one_sided import p_below_zero


@pytest.mark.parametrize("mean", [-0.02, -0.06, -0.12, -0.2])
def test_of_many_normal_units_it_is_students_or_a_little_less_sure(mean):
    parts = np.random.default_rng(1).normal(size=500)
    parts -= parts.mean()
    theirs = scipy.stats.ttest_1samp(parts + mean, 0, alternative="less").pvalue
    ours = p_below_zero(mean, parts, in_time=False)
    # in standard errors: the bounds allow for one more unit as bad as the worst
    assert 0 <= scipy.stats.norm.ppf(ours) - scipy.stats.norm.ppf(theirs) < 0.3


def test_without_bounds_there_is_no_p_value():
    assert p_below_zero(-1.0, np.arange(9.0), in_time=False) is None
    assert p_below_zero(-1.0, np.full(20, np.nan), in_time=False) is None
    assert p_below_zero(np.nan, np.arange(20.0), in_time=False) is None


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=10, max_size=40),
    st.floats(-1e6, 1e6),
    st.floats(0, 1e6),
    st.booleans(),
)
def test_a_greater_value_never_has_a_smaller_p_value(parts, value, more, in_time):
    low = p_below_zero(value, np.array(parts), in_time)
    high = p_below_zero(value + more, np.array(parts), in_time)
    assert 1e-6 <= low <= high * (1 + 1e-9) <= 1 + 1e-9
    assert value < 0 or low == 1.0


DRAWS = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "heavy": lambda rng, shape: rng.standard_t(3, size=shape),
    "skewed": lambda rng, shape: 1 - rng.exponential(size=shape),
    "skewed the other way": lambda rng, shape: rng.exponential(size=shape) - 1,
}


@pytest.mark.parametrize(
    "world",
    [pytest.param(world, marks=[pytest.mark.thorough] * (world == "normal")) for world in DRAWS],
)
def test_twenty_slices_of_equal_models_veto_one_time_in_twenty_at_most(world):
    rng = np.random.default_rng(5)
    vetoes, trials = 0, 200
    for _ in range(trials):
        values = DRAWS[world](rng, (20, 100, 3)).sum(axis=2)  # 100 units of 3 rows a slice
        found = holm([p_below_zero(float(row.mean()), row, in_time=False) for row in values])
        vetoes += min(found) < 0.05
    # more than so many in 1,000 such tests would be chance, were the rate one in twenty
    assert vetoes <= scipy.stats.binom.ppf(0.999, trials, 0.05)


def test_one_slice_that_is_worse_is_found_among_twenty():
    rng = np.random.default_rng(6)
    hits = 0
    for _ in range(50):
        values = rng.normal(size=(20, 100))
        values[7] -= 0.6  # six standard errors
        found = holm([p_below_zero(float(row.mean()), row, in_time=False) for row in values])
        hits += found[7] < 0.05
    assert hits >= 45
