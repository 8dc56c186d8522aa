"""The paired comparison, and what is said when numbers are not finite."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from pipeline_components.contracts.margins import Margin
from pipeline_components.evaluate.estimates import compare, estimate
from pipeline_components.scoring.resampling import Design, Resampling, resample
from pipeline_components.scoring.scored import Scored

RNG = np.random.default_rng(0)
TRUTH = RNG.normal(10, 3, 500)
NOISE = RNG.normal(size=500)
RESAMPLING = resample(Design(500, False, None, 0, "rows"), 0.95)
GOOD = Scored.of("regression", TRUTH, TRUTH + NOISE)
POOR = Scored.of("regression", TRUTH, TRUTH + 1.2 * NOISE + 0.02 * RNG.normal(size=500))


def comparison(candidate, baseline, metric="mae", margin=0.0, resampling=RESAMPLING):
    margin = margin if isinstance(margin, Margin) else Margin(value=margin)
    return compare(
        estimate(candidate, resampling, 0.95), estimate(baseline, resampling, 0.95), resampling,
        metric=metric, baseline_name="champion v1", confidence=0.95, intention="superior_by",
        margin=margin,
    )  # fmt: skip


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
    assert found.not_finite == ("mae", "rmse", "r2", "median_ae")


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
