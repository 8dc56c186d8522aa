"""Units, draws and intervals against scipy, closed forms and hand counts."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from everfit.ml.scoring.resampling import (
    BLOCK_ROWS,
    FEWEST_BLOCKS,
    TIME_BLOCKS,
    UNITS,
    Design,
    clustered_variance,
    dealt,
    interval,
    resample,
    time_blocks,
)
from everfit.ml.scoring.scored import Scored
from everfit.steps.evaluate.estimates import estimate

ROWS = Design(400, ordered=False, entity=None, seed=0, kind="rows")


def width(scored: Scored, design: Design, metric: str = "mae") -> float:
    found = estimate(scored, resample(design, 0.95), 0.95).estimates[metric]
    return found.high - found.low


@pytest.mark.parametrize("metric", ["mae", "rmse", "median_ae"])
def test_rows_give_the_interval_of_scipys_bootstrap(metric):
    rng = np.random.default_rng(1)
    truth, error = rng.normal(size=400), rng.gamma(2.0, 1.0, 400)
    statistic = {
        "mae": np.mean,
        "rmse": lambda e, axis: np.sqrt(np.mean(e**2, axis=axis)),
        "median_ae": np.median,
    }[metric]
    theirs = scipy.stats.bootstrap(
        (error,),
        statistic,
        n_resamples=4000,
        method="percentile",
        rng=np.random.default_rng(2),
    ).confidence_interval
    ours = estimate(
        Scored.of("regression", truth, truth + error), resample(ROWS, 0.95), 0.95
    ).estimates[metric]
    assert ours.low == pytest.approx(theirs.low, abs=0.08 * (theirs.high - theirs.low))
    assert ours.high == pytest.approx(theirs.high, abs=0.08 * (theirs.high - theirs.low))


def mann_whitney(truth: np.ndarray, p: np.ndarray) -> float:
    """The area as Mann and Whitney's statistic over the number of pairs."""
    positives = int(truth.sum())
    ranks = scipy.stats.rankdata(p)[truth == 1].sum()
    return (ranks - positives * (positives + 1) / 2) / (positives * (truth.size - positives))


def test_an_area_under_the_curve_has_the_interval_of_scipys_bootstrap():
    rng = np.random.default_rng(3)
    p = rng.random(400)
    truth = (rng.random(400) < p).astype(np.int64)
    theirs = scipy.stats.bootstrap(
        (truth, p),
        mann_whitney,
        paired=True,
        vectorized=False,
        n_resamples=2000,
        method="percentile",
        rng=np.random.default_rng(4),
    ).confidence_interval
    scored = Scored.of("binary", truth, np.column_stack([1 - p, p]))
    ours = estimate(scored, resample(ROWS, 0.95), 0.95).estimates["roc_auc"]
    assert ours.low == pytest.approx(theirs.low, abs=0.1 * (theirs.high - theirs.low))
    assert ours.high == pytest.approx(theirs.high, abs=0.1 * (theirs.high - theirs.low))


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_the_interval_of_a_mean_is_students(confidence):
    """Few units: the plain percentile interval would be a tenth too narrow."""
    values = np.random.default_rng(5).normal(10, 2, 25)
    scored = Scored.of("regression", np.zeros(25), values)
    design = Design(25, ordered=False, entity=None, seed=0, kind="rows")
    ours = estimate(scored, resample(design, confidence), confidence).estimates["mae"]
    half = scipy.stats.t.ppf((1 + confidence) / 2, 24) * values.std(ddof=1) / 5
    assert ours.high - ours.low == pytest.approx(2 * half, rel=0.08)
    assert (ours.high + ours.low) / 2 == pytest.approx(values.mean(), abs=0.15 * half)


def test_repeated_rows_of_one_entity_teach_nothing():
    """Each row four times: as rows the interval halves, as entities it must not."""
    rng = np.random.default_rng(6)
    error = rng.exponential(size=300)
    once = Scored.of("regression", np.zeros(300), error)
    four = Scored.of("regression", np.zeros(1200), np.repeat(error, 4))
    honest = width(once, Design(300, False, None, 0, "rows"))
    entity = np.repeat(np.arange(300), 4)
    assert width(four, Design(1200, False, entity, 0, "entities")) == pytest.approx(honest, rel=0.1)
    assert width(four, Design(1200, False, None, 0, "rows")) == pytest.approx(honest / 2, rel=0.1)


def test_errors_that_come_in_spells_widen_the_interval():
    """Spells of 20 equal rows: the variance of the mean is 20 times that of independent rows."""
    rows, spell = 10_000, 20
    error = np.repeat(np.random.default_rng(7).exponential(size=rows // spell), spell)
    scored = Scored.of("regression", np.zeros(rows), error)
    blocks = width(scored, Design(rows, True, None, 0, "time blocks"))
    independent = width(scored, Design(rows, False, None, 0, "rows"))
    assert blocks / independent == pytest.approx(np.sqrt(spell), rel=0.2)


def test_time_blocks_are_contiguous_and_even():
    for rows in (0, 1, 7, 200, 999, 12_345):
        unit = time_blocks(rows)
        assert unit.size == rows
        assert (np.diff(unit) >= 0).all()
        sizes = np.bincount(unit)
        assert rows == 0 or sizes.max() - sizes.min() <= 1
        assert sizes.size <= TIME_BLOCKS
        assert sizes.size >= min(rows, FEWEST_BLOCKS)
        assert rows < FEWEST_BLOCKS * BLOCK_ROWS or sizes.min() >= BLOCK_ROWS


def test_members_stay_together_and_too_many_are_dealt_evenly():
    members = np.random.default_rng(8).integers(0, 5_000, 20_000)
    unit = dealt(members, seed=0)
    assert unit.max() == UNITS - 1
    for member in (0, 17, 4_999):
        assert np.unique(unit[members == member]).size == 1
    homes = {member: unit[members == member][0] for member in np.unique(members)}
    sizes = np.bincount(list(homes.values()))
    assert sizes.max() - sizes.min() <= 1


def test_names_of_entities_do_not_matter():
    members = np.array([5, 5, 2, 9, 2])
    assert dealt(members, 0).tolist() == dealt(members * -1 + 100, 0).tolist() == [0, 0, 1, 2, 1]


def test_an_unknown_entity_stands_for_itself():
    assert dealt(np.array([-1, 3, -1, 3]), 0).tolist() == [0, 1, 2, 1]


def test_the_more_dependent_of_time_and_entity_is_drawn():
    rng = np.random.default_rng(9)
    entity = rng.permutation(np.repeat(np.arange(100), 10))
    by_entity, by_time = rng.normal(size=100)[entity], np.repeat(rng.normal(size=20), 50)
    design = Design(1000, ordered=True, entity=entity, seed=0)
    assert design.chosen(by_entity).kind == "entities"
    assert design.chosen(by_time).kind == "time blocks"
    assert design.chosen(None).kind == "entities"
    assert Design(10, True, None, 0).chosen(None).kind == "time blocks"
    assert Design(10, False, None, 0).chosen(None).kind == "rows"


def test_clustered_variance_of_single_rows_is_the_textbooks():
    values = np.random.default_rng(10).normal(size=50)
    want = values.var(ddof=1) / 50
    assert clustered_variance(values, np.arange(50)) == pytest.approx(want)
    assert clustered_variance(values, np.zeros(50, dtype=np.int64)) == 0.0


def test_an_undefined_replicate_widens_on_both_sides():
    replicates = np.linspace(0, 1, 2001)
    plain = interval(replicates, 500, 0.9)
    replicates[::100] = np.nan
    low, high = interval(replicates, 500, 0.9)
    assert low < plain[0] - 0.005
    assert high > plain[1] + 0.005
    replicates[: replicates.size // 5] = np.nan
    assert interval(replicates, 500, 0.9) == (-np.inf, np.inf)


def test_one_unit_has_no_interval():
    assert np.isnan(interval(np.ones(10), 1, 0.95)).all()


def test_the_tail_is_the_expanded_one():
    """By hand: 11 units, 90 %: t = 1.8125 with 10 degrees of freedom, times sqrt(1.1)."""
    replicates = np.arange(10_001.0)
    low, high = interval(replicates, 11, 0.90)
    tail = scipy.stats.norm.cdf(-1.8124611 * np.sqrt(1.1)) * 10_000
    assert low == np.floor(tail)
    assert high == np.ceil(10_000 - tail)


def test_draws_depend_on_the_seed_alone():
    first, again = resample(ROWS, 0.95), resample(ROWS, 0.95)
    assert (first.counts == again.counts).all()
    assert (first.counts.sum(axis=1) == first.units).all()
    other = resample(Design(400, False, None, 1, "rows"), 0.95)
    assert (first.counts != other.counts).any()
    assert first.counts.shape[0] == 2_000
    assert resample(ROWS, 0.999).counts.shape[0] > 2_000
