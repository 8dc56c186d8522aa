"""Bounds at small levels: against scipy, Hall's own equation, and counts of misses."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import scipy.optimize
import scipy.signal
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from everfit.ml.scoring.tails import FEWEST_UNITS, LEVELS, Tails, independent, levels_of, tails

SAMPLES = npst.arrays(
    np.float64, st.integers(FEWEST_UNITS, 40), elements=st.floats(-1e6, 1e6, width=32)
)


def with_the_worst(parts: np.ndarray) -> np.ndarray:
    return np.append(parts, parts.min())


@pytest.mark.parametrize("level", [0.025, 0.002, 1e-5])
def test_a_side_without_bad_surprises_is_students_of_one_more_unit(level):
    """Skewed to the right: to the left Student's interval is the wider."""
    parts = np.random.default_rng(0).exponential(size=200)
    theirs = scipy.stats.ttest_1samp(with_the_worst(parts), 0).confidence_interval(1 - 2 * level)
    below = tails(parts, [level], in_time=False).below[0]
    assert parts.mean() - below == pytest.approx(theirs.low, rel=1e-9)


@pytest.mark.parametrize("level", [0.025, 0.002])
def test_a_side_with_a_long_tail_solves_halls_equation(level):
    """Hall (1992): ``g(S) = S + c S^2 / 3 + c^2 S^3 / 27 + c / (6 n)`` is nearly normal."""
    parts = -np.random.default_rng(1).exponential(size=200)
    sample = with_the_worst(parts)
    n, c = sample.size, scipy.stats.skew(sample, bias=False)
    target = scipy.stats.t.ppf(1 - level, n - 1) / np.sqrt(n)
    root = scipy.optimize.brentq(
        lambda s: s + c * s**2 / 3 + c**2 * s**3 / 27 + c / (6 * n) - target, -5, 50
    )
    below = tails(parts, [level], in_time=False).below[0]
    assert parts.mean() - below == pytest.approx(
        sample.mean() - sample.std(ddof=1) * root, rel=1e-9
    )


@pytest.mark.parametrize("level", [0.025, 0.001, 1e-5])
@pytest.mark.parametrize("events", [0, 1, 2, 5, 30])
def test_rare_events_of_one_size_are_bounded_by_their_exact_poisson_limit(events, level):
    """Few of 100,000 units cost 1, all others nothing; the cost is known beforehand."""
    parts = np.zeros(100_000)
    parts[:events] = -1.0
    found = tails(parts, [level], in_time=False, worst=-1.0)
    limit = scipy.stats.gamma.ppf(1 - level, events + 1)
    bound = events + parts.size * found.below[0]
    assert bound >= limit * 0.98
    assert bound <= limit * (1.08 if events <= 2 and level <= 0.001 else 1.4)


def test_the_worst_that_is_known_widens_the_bound_below_alone_and_never_narrows():
    parts = np.random.default_rng(8).normal(size=500)
    plain = tails(parts, LEVELS, in_time=False)
    for worst in (0.0, -2.0, -10.0, -100.0):
        found = tails(parts, LEVELS, in_time=False, worst=worst)
        assert np.allclose(found.above, plain.above, rtol=1e-12)
        assert (found.below >= plain.below * (1 - 1e-12)).all()
    least = -0.95 * np.log(LEVELS[-1]) * 100.0 / 501
    assert found.below[-1] >= least


@pytest.mark.parametrize("in_time", [False, True])
@pytest.mark.parametrize("units", [20, 67, 500])
def test_skewness_widens_students_bound_by_a_half_unless_fewer_than_five_events_carry_it(
    units, in_time
):
    """Costs that come one by one, in units that resemble each other or do not."""
    rng = np.random.default_rng(9)
    for _ in range(200):
        parts = -rng.lognormal(sigma=rng.uniform(0.1, 4), size=units)
        if in_time:
            parts = scipy.signal.lfilter([1], [1, -0.7], parts)
        found = tails(parts, LEVELS, in_time)
        more = np.append(parts, parts.min())
        n = found.units + 1
        student = scipy.stats.t.ppf(1 - np.array(LEVELS), n - 1)
        share, centred = 1 / n, parts - parts.mean()
        variance = (1 - share) * (centred.var() + share * centred.min() ** 2)
        shift = -centred.min() * share
        times = (found.below - shift) / (student * np.sqrt(variance / (n - 1)))
        third = np.mean((more - more.mean()) ** 3) / more.std() ** 3
        assert (times <= 3.0).all()
        if third**2 / n < 1 / 6:
            assert (times <= 1.75).all()


@pytest.mark.parametrize("n", [50, 500, 5_000])
def test_in_large_symmetric_samples_little_is_added_to_students(n):
    """The one more unit lies about sqrt(2 log n) deviations off, which the mean divides by n."""
    parts = np.random.default_rng(2).normal(size=n)
    parts = np.concatenate([parts, -parts])
    found = tails(parts, [0.002], in_time=False)
    student = scipy.stats.t.ppf(0.998, 2 * n - 1) * scipy.stats.sem(parts)
    assert found.error == pytest.approx(scipy.stats.sem(parts))
    assert found.units == 2 * n
    assert 1 < found.below[0] / student < 1 + 4 * np.sqrt(np.log(n) / n)
    assert found.below[0] == pytest.approx(found.above[0])


def misses(parts: np.ndarray, level: float) -> tuple[int, int]:
    """How many samples with a true mean of 0 have a lower bound above it: ours and Student's."""
    found = tails(parts, [level], in_time=False)
    student = scipy.stats.t.ppf(1 - level, parts.shape[1] - 1) * scipy.stats.sem(parts, axis=1)
    mean = parts.mean(axis=1)
    return int((mean > found.below[:, 0]).sum()), int((mean > student).sum())


@pytest.mark.parametrize("units", [100, 400])
def test_skewed_units_are_missed_no_more_often_than_the_level_says(units):
    """Rare disasters, lognormal: Student's t misses several times as often as it says."""
    rng = np.random.default_rng(3)
    samples, level = 40_000, 0.002
    parts = np.exp(0.5) - np.exp(rng.standard_normal((samples, units), dtype=np.float32))
    ours, students = misses(parts, level)
    allowed = scipy.stats.binom.ppf(0.999, samples, level)
    assert ours <= allowed
    assert students > 2 * allowed


def test_normal_units_are_missed_as_often_as_the_level_says_or_less():
    rng = np.random.default_rng(4)
    ours, students = misses(rng.standard_normal((40_000, 100)), 0.004)
    low, high = scipy.stats.binom.interval(0.999, 40_000, 0.004)
    assert low <= students <= high
    assert low / 4 <= ours <= students


def test_many_estimates_at_once_are_those_asked_one_by_one():
    parts = np.random.default_rng(5).gamma(2.0, size=(3, 4, 30))
    every = tails(parts, LEVELS, in_time=True)
    one = tails(parts[1, 2], LEVELS, in_time=True)
    assert every.below.shape == (3, 4, len(LEVELS))
    assert np.allclose(every.below[1, 2], one.below, rtol=1e-12)
    assert np.allclose(every.above[1, 2], one.above, rtol=1e-12)
    assert every.units[1, 2] == pytest.approx(one.units)


@given(parts=SAMPLES, in_time=st.booleans())
def test_a_smaller_level_is_never_narrower(parts, in_time):
    found = tails(parts, LEVELS, in_time)
    for side in (found.below, found.above):
        assert (side >= 0).all()
        assert (np.diff(side) >= -1e-9 * side[:-1]).all()
        assert np.isfinite(side).all()


@given(parts=SAMPLES, in_time=st.booleans())
def test_never_narrower_than_students(parts, in_time):
    found = tails(parts, LEVELS, in_time)
    student = scipy.stats.t.ppf(1 - np.array(LEVELS), parts.size - 1) * scipy.stats.sem(parts)
    assert (found.below >= student * (1 - 1e-6)).all()
    assert (found.above >= student * (1 - 1e-6)).all()


@given(parts=SAMPLES, shift=st.integers(-5, 5), in_time=st.booleans())
def test_units_of_measure_do_not_matter_and_sides_mirror(parts, shift, in_time):
    found = tails(parts, LEVELS, in_time)
    scaled = tails(parts * 2.0**shift, LEVELS, in_time)
    turned = tails(-parts, LEVELS, in_time)
    assert np.allclose(scaled.below, found.below * 2.0**shift, rtol=1e-6)
    assert np.allclose(turned.below, found.above, rtol=1e-9)
    assert np.allclose(turned.error, found.error, rtol=1e-9)


def test_tiny_numbers_are_as_good_as_others():
    parts = np.random.default_rng(6).exponential(size=50)
    found, tiny = (tails(parts * size, LEVELS, in_time=False) for size in (1.0, 1e-150))
    assert np.allclose(tiny.above, found.above * 1e-150, rtol=1e-9, atol=0)


def test_units_that_all_say_the_same_leave_no_doubt():
    found = tails(np.full(20, 0.25), LEVELS, in_time=True)
    assert (found.error, found.units) == (0, 20)
    assert not found.below.any()
    assert not found.above.any()


@pytest.mark.parametrize(
    "parts",
    [
        np.zeros(0),
        np.arange(FEWEST_UNITS - 1.0),
        np.append(np.arange(50.0), np.nan),
        np.append(np.arange(50.0), np.inf),
    ],
)
def test_there_are_no_bounds_where_they_would_be_guesses(parts):
    assert tails(parts, LEVELS, in_time=False) is None
    assert isinstance(tails(np.arange(FEWEST_UNITS * 1.0), LEVELS, in_time=False), Tails)


def test_each_of_two_equal_neighbours_counts_half():
    """Pairs: neighbours correlate by one half on average, so n / (1 + 2 / 2) are worth n / 2."""
    values = np.random.default_rng(7).normal(size=2_000)
    parts = np.repeat(values, 2)
    found = tails(parts, [0.01], in_time=True)
    assert found.units == pytest.approx(2_000, rel=0.05)
    assert found.error == pytest.approx(scipy.stats.sem(values), rel=0.03)
    assert tails(parts, [0.01], in_time=False).error == pytest.approx(
        scipy.stats.sem(values) / np.sqrt(2), rel=0.03
    )


def test_how_much_neighbours_are_alike_by_hand():
    """1, 1, -1, -1: products 1, -1, 1 of four squares are 1/4; with 1/4 for the bias 1/2."""
    centred = np.array([1.0, 1.0, -1.0, -1.0])
    assert independent(centred, np.array(1.0)) == pytest.approx(4 / (1 + 2 * 0.5))
    assert independent(np.tile([1.0, -1.0], 10), np.array(1.0)) == 20


def test_levels_fall_and_hold_the_one_that_is_shown():
    assert LEVELS[0] == 0.025
    assert LEVELS[-1] == pytest.approx(1e-5)
    assert all(1.2 < high / low < 1.3 for high, low in pairwise(LEVELS))
    for confidence in (0.8, 0.9, 0.95, 0.975, 0.99, 0.999999):
        levels = levels_of(confidence)
        assert (1 - confidence) / 2 in levels
        assert all(high > low * 1.000001 for high, low in pairwise(levels))
        assert len(set(LEVELS) - set(levels)) <= 1
    assert len(levels_of(0.95)) == len(LEVELS)
