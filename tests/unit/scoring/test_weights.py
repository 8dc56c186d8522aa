"""Weighted rows: scores by scikit-learn's, bounds that hold, and nothing new without weights."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from everfit.contracts.spec.margins import Margin
from everfit.contracts.spec.metrics import METRICS, metrics_of
from everfit.ml.scoring.metric_sums import exact_score, metric_sums
from everfit.ml.scoring.one_sided import p_below_zero
from everfit.ml.scoring.predictions import dummy_predictions
from everfit.ml.scoring.resampling import (
    Design,
    Resampling,
    effective,
    resample,
    time_blocks,
    totals,
)
from everfit.ml.scoring.scored import Scored
from everfit.ml.scoring.tails import FEWEST_UNITS, LEVELS, tails
from everfit.steps.evaluate.estimates import compare, estimate

ROWS = 240


def rows(task, seed=0, weight=None):
    rng = np.random.default_rng(seed)
    if task == "regression":
        truth = rng.normal(size=ROWS)
        return Scored(task, truth, truth + rng.standard_t(3, ROWS), weight=weight)
    classes = 2 if task == "binary" else 4
    truth = rng.integers(classes, size=ROWS)
    scores = rng.dirichlet(np.ones(classes), ROWS).round(2) + np.eye(classes)[truth] * 0.4
    return Scored(task, truth, scores / scores.sum(axis=1, keepdims=True), weight=weight)


def weights(seed=1):
    return np.random.default_rng(seed).lognormal(0, 1.5, ROWS)


SKLEARN = {
    "mae": lambda t, s, w: sk.mean_absolute_error(t, s, sample_weight=w),
    "rmse": lambda t, s, w: sk.root_mean_squared_error(t, s, sample_weight=w),
    "r2": lambda t, s, w: sk.r2_score(t, s, sample_weight=w),
    "median_ae": lambda t, s, w: sk.median_absolute_error(t, s, sample_weight=w),
    "log_loss": lambda t, s, w: sk.log_loss(t, s, sample_weight=w, labels=range(s.shape[1])),
    "brier": lambda t, s, w: sk.brier_score_loss(t, s[:, 1], sample_weight=w),
    "roc_auc": lambda t, s, w: sk.roc_auc_score(t, s[:, 1], sample_weight=w),
    "average_precision": lambda t, s, w: sk.average_precision_score(t, s[:, 1], sample_weight=w),
    "accuracy": lambda t, s, w: sk.accuracy_score(t, s.argmax(1), sample_weight=w),
    "balanced_accuracy": lambda t, s, w: sk.balanced_accuracy_score(
        t, s.argmax(1), sample_weight=w
    ),
    "f1": lambda t, s, w: sk.f1_score(t, s.argmax(1), sample_weight=w),
    "f1_macro": lambda t, s, w: sk.f1_score(t, s.argmax(1), sample_weight=w, average="macro"),
}


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
@pytest.mark.parametrize("zeros", [False, True])
def test_every_metric_is_that_of_scikit_learn_with_sample_weight(task, zeros):
    weight = weights() * (np.arange(ROWS) % 3 > 0 if zeros else 1)
    scored = rows(task, weight=weight)
    for metric in set(metrics_of(task)) & set(SKLEARN):
        expected = SKLEARN[metric](scored.truth, scored.scores, weight)
        assert exact_score(metric, scored) == pytest.approx(expected), metric


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_a_row_of_weight_three_is_three_rows(task):
    times = np.random.default_rng(2).integers(0, 4, ROWS)
    scored = rows(task, weight=times.astype(float))
    repeated = rows(task).part(np.repeat(np.arange(ROWS), times))
    for metric in metrics_of(task):
        assert exact_score(metric, scored) == pytest.approx(exact_score(metric, repeated)), metric


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_units_of_weighted_rows_say_what_leaving_them_out_does(task):
    weight = weights()
    scored = rows(task, weight=weight)
    design = Design(ROWS, True, None, 0, weight=weight).chosen(None)
    resampling = resample(design, 0.9)
    for group in metric_sums(scored, resampling):
        for metric in group.formulas:
            if not group.smooth:
                continue
            parts, units = group.parts(metric), resampling.units
            for unit in (0, units - 1):
                without = exact_score(metric, scored.part(resampling.unit != unit))
                expected = (units - 1) * (exact_score(metric, scored) - without)
                assert parts[unit] == pytest.approx(expected, rel=1e-6, abs=1e-9), metric


def test_a_class_that_only_one_unit_holds_is_gone_without_it():
    truth = np.where(np.arange(ROWS) < 12, 2, np.arange(ROWS) % 2)
    scores = np.eye(3)[np.where(np.arange(ROWS) % 5 == 0, 0, truth)]
    scored = Scored("multiclass", truth, scores, weight=weights() + 0.1)
    design = Design(ROWS, True, None, 0, weight=scored.weight).chosen(None)
    resampling = resample(design, 0.9)
    (unit,) = np.unique(resampling.unit[truth == 2])
    group = next(g for g in metric_sums(scored, resampling) if "balanced_accuracy" in g.exact)
    without = exact_score("balanced_accuracy", scored.part(resampling.unit != unit))
    moved = (resampling.units - 1) * (group.exact["balanced_accuracy"] - without)
    assert group.parts("balanced_accuracy")[unit] == pytest.approx(moved)


def test_only_ratios_of_weights_count():
    weight = weights()
    found = []
    for unit in (1.0, 1024.0):
        both = [rows("regression", seed, weight * unit) for seed in (0, 1)]
        resampling = resample(Design(ROWS, False, None, 0, "rows", weight * unit), 0.95)
        estimates = [estimate(one, resampling, 0.95) for one in both]
        found.append(compared(*estimates, resampling))
    assert found[0] == found[1]


def compared(candidate, baseline, resampling, worst=0.0):
    return compare(
        candidate,
        baseline,
        resampling,
        metric="mae",
        baseline_name="champion v1",
        confidence=0.95,
        intention="superior_by",
        margin=Margin(value=0.0),
        worst=worst,
    )


def test_equal_weights_bound_as_no_weights_do():
    one, other = (rows("regression", seed) for seed in (0, 1))
    bounds = []
    for weight in (None, np.full(ROWS, 2.0)):
        resampling = resample(Design(ROWS, False, None, 0, "rows", weight), 0.95)
        both = [
            estimate(Scored(s.task, s.truth, s.scores, weight=weight), resampling, 0.95)
            for s in (one, other)
        ]
        found = compared(*both, resampling)
        bounds.append([(b.low, b.high) for b in found.bounds])
    plain, weighted = np.array(bounds)
    assert np.allclose(plain, weighted, rtol=0.02)


def test_a_few_heavy_rows_leave_no_bounds():
    weight = np.ones(ROWS)
    weight[:3] = 1000.0
    assert effective(weight) < FEWEST_UNITS
    parts = np.random.default_rng(0).normal(size=ROWS)
    assert tails(parts, LEVELS, False) is not None
    assert tails(parts, LEVELS, False, weight=weight) is None
    assert p_below_zero(-5.0, parts, False, weight=weight) is None


def test_dummies_learn_from_weighted_rows():
    target, weight = np.array([0.0, 1.0, 5.0]), np.array([1.0, 1.0, 2.0])
    assert dummy_predictions("mean", target, 1, None, weight)[0] == 2.75
    assert dummy_predictions("median", target, 1, None, weight)[0] == 3.0
    codes = np.array([0, 0, 1])
    heavy = np.array([1.0, 1.0, 6.0])
    assert dummy_predictions("prior", codes, 1, ["a", "b"], heavy).tolist() == [[0.25, 0.75]]
    assert dummy_predictions("most_frequent", codes, 1, ["a", "b"], heavy).tolist() == [[0, 1]]


def worlds(kind, seed, many):
    """Holdouts whose candidate is a little better on most rows, and far worse on one of fifty."""
    rng = np.random.default_rng(seed)
    for _ in range(many):
        weight = {
            "lognormal": lambda: rng.lognormal(0, 2, 500),
            "one in a hundred": lambda: np.where(rng.random(500) < 0.01, 100.0, 1.0),
            "newer rows": lambda: 0.5 ** (np.arange(500)[::-1] / 100),
        }[kind]()
        loss = np.where(rng.random(500) < 0.02, 5 * rng.lognormal(0, 0.5, 500), 0.0)
        ours = Scored("regression", np.zeros(500), np.abs(loss), weight=weight)
        near = np.full(500, 0.1 * np.exp(0.125))  # of the same mean loss
        yield ours, Scored("regression", np.zeros(500), near, weight=weight)


@pytest.mark.parametrize("kind", ["lognormal", "one in a hundred", "newer rows"])
@pytest.mark.parametrize("in_time", [False, True])
def test_a_candidate_that_is_no_better_is_rarely_surely_better(kind, in_time):
    """At a level of 2.5 %: about one in ten is where the bounds do not know the weights."""
    missed, many = 0, 150
    for ours, theirs in worlds(kind, 3, many):
        unit = time_blocks(500) if in_time else np.arange(500)
        units = int(unit.max()) + 1
        weight = totals(ours.weight, unit, units)
        resampling = Resampling(unit, units, np.ones((2, units)), "", in_time, weight)
        found = compared(
            *(estimate(one, resampling, 0.95, "mae") for one in (ours, theirs)), resampling
        )
        missed += any(bound.alpha == 0.025 and bound.low > 0 for bound in found.bounds)
    assert missed <= 9  # more: a chance of 1 in 150, were the level just kept


def test_every_metric_is_compared_here():
    assert set(METRICS) >= set(SKLEARN)
