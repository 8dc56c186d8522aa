"""Estimates while labels are late: right where they can be, silent where they cannot."""

from __future__ import annotations

import numpy as np
import pytest

from everfit.contracts.spec.margins import Margin
from everfit.ml.scoring.resampling import time_blocks
from everfit.ml.scoring.scored import Scored
from everfit.steps.monitor.estimate import estimated_rise, learn, prediction_of


def world(random, rows, centre=10.0, error=0.3):
    """Predictions around a centre, with errors that grow with the prediction."""
    prediction = random.gamma(9.0, centre / 9.0, rows)
    return Scored("regression", prediction * (1 + error * random.normal(0, 1, rows)), prediction)


def mae(scored):
    return float(np.abs(scored.scores - scored.truth).mean())


def estimated(holdout, span, metric="mae", score=None):
    (expected,) = learn(holdout, [metric]).metrics
    rise = estimated_rise(
        expected, span.scores, time_blocks(span.rows), mae(holdout) if score is None else score, 0.0
    )
    assert rise is not None
    return rise


def test_two_bins_counted_by_hand():
    # 20 rows predicted 1 with loss 1, 20 predicted 3 with loss 2; the span has one of four low
    holdout = Scored("regression", np.repeat([2.0, 5.0], 20), np.repeat([1.0, 3.0], 20))
    span = Scored("regression", np.zeros(40), np.repeat([1.0, 3.0, 3.0, 3.0], 10))
    rise = estimated(holdout, span)
    assert rise.reference == 1.5
    assert rise.current == pytest.approx(0.25 * 1 + 0.75 * 2)
    assert rise.worse == pytest.approx(0.25)
    assert rise.estimated and not rise.beyond(Margin(value=0.0))


def test_a_span_of_harder_rows_is_estimated_worse_about_as_much_as_it_is():
    random = np.random.default_rng(1)
    holdout, span = world(random, 6_000), world(random, 6_000, centre=13.0)
    rise = estimated(holdout, span)
    truly = mae(span) - mae(holdout)
    assert rise.worse == pytest.approx(truly, rel=0.12)
    assert 0 < rise.low < rise.worse


def test_equal_predictions_are_estimated_equal():
    random = np.random.default_rng(2)
    quiet = []
    for _ in range(200):
        holdout, span = world(random, 2_000), world(random, 1_000)
        rise = estimated(holdout, span)
        quiet.append(rise.low <= 0)
        assert abs(rise.worse) < 0.15 * rise.reference
    assert np.mean(quiet) >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 200)


def test_it_does_not_see_that_equal_predictions_have_become_worse():
    random = np.random.default_rng(3)
    holdout, span = world(random, 6_000), world(random, 6_000, error=0.9)
    assert mae(span) > 2 * mae(holdout)
    assert abs(estimated(holdout, span).worse) < 0.1 * mae(holdout)


def test_a_metric_of_the_mean_loss_is_estimated_in_its_own_unit():
    random = np.random.default_rng(4)
    holdout, span = world(random, 6_000), world(random, 6_000, centre=13.0)

    def rmse(scored):
        return float(np.sqrt(((scored.scores - scored.truth) ** 2).mean()))

    rise = estimated(holdout, span, "rmse", rmse(holdout))
    assert rise.worse == pytest.approx(rmse(span) - rmse(holdout), rel=0.15)


def test_accuracy_falls_where_more_predictions_are_unsure():
    random = np.random.default_rng(5)

    def binary(rows, spread):
        probability = 1 / (1 + np.exp(-random.normal(0, spread, rows)))
        truth = (random.random(rows) < probability).astype(np.int64)
        return Scored("binary", truth, np.column_stack([1 - probability, probability]))

    holdout, span = binary(8_000, 3.0), binary(8_000, 1.0)
    (expected,) = learn(holdout, ["accuracy", "roc_auc"]).metrics
    before, after = ((s.predicted_class == s.truth).mean() for s in (holdout, span))
    prediction = prediction_of("binary", span.scores, 1)
    rise = estimated_rise(expected, prediction, time_blocks(8_000), float(before), 0.0)
    assert rise.worse == pytest.approx(before - after, abs=0.02)
    assert rise.worse > 0.1
    assert rise.current == pytest.approx(after, abs=0.02)


def test_predictions_beyond_the_holdout_are_mentioned():
    random = np.random.default_rng(6)
    holdout, span = world(random, 2_000), world(random, 2_000, centre=30.0)
    assert "of the predictions lie outside what it held" in estimated(holdout, span).method


def test_what_cannot_be_learnt_or_answered_is_none():
    random = np.random.default_rng(7)
    assert learn(world(random, 10), ["mae"]).metrics == ()
    assert learn(world(random, 100), ["median_ae"]).metrics == ()
    (expected,) = learn(world(random, 100), ["mae"]).metrics
    assert estimated_rise(expected, np.array([1.0, np.nan]), time_blocks(2), 1.0, 0.0) is None
    assert estimated_rise(expected, np.zeros(0), time_blocks(0), 1.0, 0.0) is None
