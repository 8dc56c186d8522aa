"""The paired comparison, and what is said when numbers are not finite."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from scipy.special import expit

from everfit.contracts.spec.margins import Margin
from everfit.ml.scoring.resampling import Design, Resampling, resample
from everfit.ml.scoring.scored import Scored
from everfit.ml.scoring.tails import tails
from everfit.steps.evaluate.estimates import compare, estimate

RNG = np.random.default_rng(0)
TRUTH = RNG.normal(10, 3, 500)
NOISE = RNG.normal(size=500)
RESAMPLING = resample(Design(500, False, None, 0, "rows"), 0.95)
GOOD = Scored.of("regression", TRUTH, TRUTH + NOISE)
POOR = Scored.of("regression", TRUTH, TRUTH + 1.2 * NOISE + 0.02 * RNG.normal(size=500))


def comparison(candidate, baseline, metric="mae", margin=0.0, resampling=RESAMPLING):
    margin = margin if isinstance(margin, Margin) else Margin(value=margin)
    return compare(
        estimate(candidate, resampling, 0.95),
        estimate(baseline, resampling, 0.95),
        resampling,
        metric=metric,
        baseline_name="champion v1",
        confidence=0.95,
        intention="superior_by",
        margin=margin,
    )


def test_the_gain_is_the_difference_and_its_interval_students():
    found = comparison(GOOD, POOR)
    difference = np.abs(POOR.scores - TRUTH) - np.abs(GOOD.scores - TRUTH)
    assert found.gain.value == pytest.approx(difference.mean())
    theirs = scipy.stats.ttest_1samp(difference, 0).confidence_interval(0.95)
    size = theirs.high - theirs.low
    assert found.gain.low == pytest.approx(theirs.low, abs=0.08 * size)
    assert found.gain.high == pytest.approx(theirs.high, abs=0.08 * size)


def test_pairing_sees_what_separate_intervals_hide():
    candidate = estimate(GOOD, RESAMPLING, 0.95).estimates["mae"]
    baseline = estimate(POOR, RESAMPLING, 0.95).estimates["mae"]
    found = comparison(GOOD, POOR)
    assert found.gain.low > 0
    assert found.gain.high - found.gain.low < 0.5 * (candidate.high - candidate.low)
    assert baseline.value - candidate.value == pytest.approx(found.gain.value)


@pytest.mark.parametrize("metric", ["mae", "rmse", "r2", "median_ae"])
def test_a_gain_is_positive_where_the_candidate_is_better_whichever_way_is_better(metric):
    better, worse = comparison(GOOD, POOR, metric), comparison(POOR, GOOD, metric)
    assert better.gain.value > 0 > worse.gain.value
    assert better.gain.value == pytest.approx(-worse.gain.value)


def test_equal_models_gain_exactly_nothing():
    gain = comparison(GOOD, GOOD).gain
    assert (gain.low, gain.value, gain.high) == (0, 0, 0)


def test_a_relative_margin_is_relative_to_the_baselines_score():
    found = comparison(GOOD, POOR, margin=Margin(value=0.02, relative=True))
    assert found.margin == pytest.approx(0.02 * np.abs(POOR.scores - TRUTH).mean())
    assert comparison(GOOD, POOR, margin=0.25).margin == 0.25
    terrible = Scored.of("regression", TRUTH, -3 * TRUTH)
    found = comparison(GOOD, terrible, "r2", Margin(value=0.1, relative=True))
    assert found.baseline_score < 0 < found.margin


def test_no_comparison_where_a_side_has_no_score():
    broken = Scored.of("regression", TRUTH, np.where(TRUTH > 15, np.inf, TRUTH))
    assert comparison(broken, GOOD) is None
    assert comparison(GOOD, broken) is None


def test_strange_answers_are_counted_and_nothing_is_scored():
    scores = GOOD.scores.copy()
    scores[:3] = np.nan, np.inf, -np.inf
    found = estimate(Scored.of("regression", TRUTH, scores), RESAMPLING, 0.95)
    assert found.estimates == {}
    assert found.not_finite == ("3 of 500 predictions",)


def test_answers_too_large_to_square_are_listed_not_dropped():
    found = estimate(Scored.of("regression", TRUTH, TRUTH * 1e200), RESAMPLING, 0.95)
    assert "rmse" in found.not_finite
    assert "mae" in found.estimates
    assert not found.undefined


def test_a_single_class_leaves_ranks_undefined_and_says_so():
    scored = Scored.of("binary", np.ones(500, dtype=np.int64), np.full((500, 2), 0.5))
    found = estimate(scored, RESAMPLING, 0.95)
    assert set(found.not_finite) == {"roc_auc"}
    assert found.undefined
    assert found.estimates["log_loss"].value == pytest.approx(np.log(2))


def test_too_few_positives_give_a_score_without_an_interval():
    truth = np.zeros(500, dtype=np.int64)
    truth[0] = 1
    p = np.linspace(0.9, 0.1, 500)
    found = estimate(Scored.of("binary", truth, np.column_stack([1 - p, p])), RESAMPLING, 0.95)
    assert "roc_auc interval" in found.not_finite


def test_no_rows_leave_every_metric_out():
    empty = Resampling(np.zeros(0, dtype=np.int64), 0, np.zeros((5, 0)), "")
    found = estimate(Scored.of("regression", np.zeros(0), np.zeros(0)), empty, 0.95)
    assert found.estimates == {}
    assert found.not_finite == ("mae", "median_ae", "r2", "rmse")


def test_an_interval_always_holds_its_value():
    """The gate refuses an interval that does not."""
    rng = np.random.default_rng(4)
    for seed in range(20):
        rows = int(rng.integers(2, 40))
        truth = np.exp(3 * rng.normal(size=rows))
        resampling = resample(Design(rows, True, None, seed, "time blocks"), 0.6)
        scored = Scored.of("regression", truth, rng.normal(size=rows))
        for found in estimate(scored, resampling, 0.6).estimates.values():
            assert found.low <= found.value <= found.high


def test_bounds_are_those_of_the_rows_differences():
    found = comparison(GOOD, POOR)
    difference = np.abs(POOR.scores - TRUTH) - np.abs(GOOD.scores - TRUTH)
    assert found.error == pytest.approx(scipy.stats.sem(difference))
    assert found.units == 500
    want = tails(difference, [bound.alpha for bound in found.bounds], in_time=False)
    assert [b.low for b in found.bounds] == pytest.approx(difference.mean() - want.below)
    assert [b.high for b in found.bounds] == pytest.approx(difference.mean() + want.above)


@pytest.mark.parametrize("metric", ["mae", "rmse", "r2", "median_ae"])
def test_bounds_widen_as_the_level_falls_and_agree_with_the_resamples(metric):
    found = comparison(GOOD, POOR, metric)
    alphas, lows, highs = zip(*((b.alpha, b.low, b.high) for b in found.bounds), strict=True)
    assert alphas[0] == (1 - 0.95) / 2
    assert alphas[-1] == pytest.approx(1e-5)
    assert list(alphas) == sorted(alphas, reverse=True)
    assert list(lows) == sorted(lows, reverse=True)
    assert list(highs) == sorted(highs)
    shown = found.gain.high - found.gain.low
    assert highs[0] - lows[0] == pytest.approx(shown, rel=0.25)
    assert highs[-1] - lows[-1] > 2 * (highs[0] - lows[0])


def test_an_area_has_the_error_of_delongs_variance():
    """DeLong, DeLong, Clarke-Pearson (1988): variance of the difference of two correlated areas."""
    rng = np.random.default_rng(11)
    truth = (rng.random(600) < 0.3).astype(np.int64)
    signal = truth + rng.normal(size=600)
    one, two = (expit(signal + 0.5 * rng.normal(size=600)) for _ in range(2))
    resampling = Resampling(np.arange(600), 600, np.ones((2, 600)), "")
    models = [Scored.of("binary", truth, np.column_stack([1 - p, p])) for p in (one, two)]
    found = comparison(*models, "roc_auc", resampling=resampling)
    yes, no = truth == 1, truth == 0
    wins = [(p[yes][:, None] > p[no]) + 0.5 * (p[yes][:, None] == p[no]) for p in (one, two)]
    gains = wins[0] - wins[1]
    variance = sum(gains.mean(axis=1 - side).var(ddof=1) / gains.shape[side] for side in (0, 1))
    assert found.error == pytest.approx(np.sqrt(variance), rel=0.02)


def test_a_relative_margin_brings_its_own_doubt():
    """A tenth of the baseline's score: the doubt is that of the gain less a tenth of the score."""
    ours, theirs = np.abs(GOOD.scores - TRUTH), np.abs(POOR.scores - TRUTH)
    relative = Margin(value=0.1, relative=True)
    found = comparison(GOOD, POOR, margin=relative)
    assert found.error == pytest.approx(scipy.stats.sem(theirs - ours - 0.1 * theirs))
    other = compare(
        estimate(GOOD, RESAMPLING, 0.95),
        estimate(POOR, RESAMPLING, 0.95),
        RESAMPLING,
        metric="mae",
        baseline_name="champion v1",
        confidence=0.95,
        intention="not_worse_than",
        margin=relative,
    )
    assert other.error == pytest.approx(scipy.stats.sem(theirs - ours + 0.1 * theirs))
    assert other.gain == found.gain


def test_equal_models_have_bounds_of_nothing():
    found = comparison(GOOD, GOOD)
    assert found.error == 0
    assert {(bound.low, bound.high) for bound in found.bounds} == {(0, 0)}


def test_neighbours_in_time_that_are_alike_count_as_fewer():
    rng = np.random.default_rng(12)
    spells = np.repeat(rng.normal(size=50), 40)
    truth = np.zeros(2_000)
    one = Scored.of("regression", truth, 5 + spells + 0.1 * rng.normal(size=2_000))
    two = Scored.of("regression", truth, np.full(2_000, 5.0))
    blocks = resample(Design(2_000, True, None, 0, "time blocks"), 0.95)
    found = comparison(one, two, resampling=blocks)
    assert blocks.units == 100
    assert 40 <= found.units <= 60
    assert found.error == pytest.approx(spells[::40].std(ddof=1) / np.sqrt(50), rel=0.15)


def test_few_units_leave_a_gain_without_bounds():
    entity = np.arange(500) % 9
    few = resample(Design(500, False, entity, 0, "entities"), 0.95)
    found = comparison(GOOD, POOR, resampling=few)
    assert (found.bounds, found.error, found.units) == ((), None, None)
    assert found.gain.value > 0


def test_no_bounds_where_one_unit_holds_all_positives():
    """Without it there is no curve; the few resamples that lack it leave the interval finite."""
    truth = np.repeat([1, 0], [40, 460])
    unit = np.where(truth == 1, 0, np.arange(500) // 10)
    p = np.random.default_rng(13).random((2, 500))
    models = [Scored.of("binary", truth, np.column_stack([1 - q, q])) for q in p]
    units = int(unit.max()) + 1
    every = Resampling(unit, units, np.ones((50, units)), "")
    found = comparison(*models, "roc_auc", resampling=every)
    assert found.bounds == ()
    assert comparison(*models, "brier", resampling=every).bounds
