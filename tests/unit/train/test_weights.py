"""Weighted rows in every family: two laws in one table, and the heavy rows say which is learnt."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from threadpoolctl import threadpool_limits

from everfit.contracts.errors import UserError
from everfit.contracts.spec.families import FAMILIES
from everfit.contracts.spec.train import FamilySpec
from everfit.ml.families.fitting import fit
from everfit.ml.families.resolve import family_of
from everfit.ml.model import predict_scores
from everfit.ml.scoring.metric_sums import exact_score
from everfit.ml.scoring.scored import Scored
from everfit.steps.train import fit as fit_module
from tests.unit.train.test_boosting import asked

ROWS = 600


def two_laws(task):
    """Half of the rows rise with ``a``, the other half fall; nothing tells them apart."""
    rng = np.random.default_rng(0)
    a, rises = rng.uniform(-1, 1, ROWS), rng.random(ROWS) < 0.5
    y = np.where(rises, a, -a) + 0.01 * rng.normal(size=ROWS)
    frame = pd.DataFrame({"a": a, "b": rng.normal(size=ROWS), "y": y})
    if task == "binary":
        frame["y"] = (frame["y"] > 0).astype(int)
    return frame, rises


def fit_family(request, frame, weights=None):
    """As the step does: with the threads that the request says."""
    with threadpool_limits(limits=request.threads):
        return fit_module.fit_family(request, frame, weights=weights)


def slope(task, family, weights):
    frame, _ = two_laws(task)
    metric = "rmse" if task == "regression" else "log_loss"
    request = asked(frame, family, task, metric, trials=2, folds=2)
    model = fit_family(request, frame.copy(), weights=weights).model
    ends = pd.DataFrame({"a": [-0.8, 0.8], "b": [0.0, 0.0]})
    scores = predict_scores(model, ends, task)
    low, high = scores if task == "regression" else scores[:, 1]
    return high - low


@pytest.mark.parametrize("task", ["regression", "binary"])
@pytest.mark.parametrize("family", sorted(set(FAMILIES) - {"boosting"}))
def test_the_heavy_rows_are_learnt(family, task):
    _, rises = two_laws(task)
    assert slope(task, family, np.where(rises, 1.9, 0.1)) > 0.4
    assert slope(task, family, np.where(rises, 0.1, 1.9)) < -0.4


def test_folds_are_scored_by_weight():
    frame, rises = two_laws("regression")
    weights = np.where(rises, 1.9, 0.1)
    request = asked(frame, "linear", trials=1, folds=2)
    weighted = fit_family(request, frame.copy(), weights=weights)
    plain = fit_family(request, frame.copy())
    assert weighted.score < 0.75 * plain.score  # nine tenths of the weight follow one law


@pytest.mark.parametrize("family", ["gradient_boosting", "lightgbm"])
def test_boosting_stops_by_the_weight_of_the_rows_held_out(family):
    """All the weight is on rows without a law: another round helps nobody."""
    rng = np.random.default_rng(1)
    x, lawless = rng.uniform(size=(ROWS, 2)), rng.random(ROWS) < 0.5
    y = np.where(lawless, rng.normal(size=ROWS), 3 * np.sin(20 * x[:, 0]))
    frame = pd.DataFrame(x, columns=["a", "b"]).assign(y=y)
    rounds = []
    for weights in (np.where(lawless, 1.99, 0.01), np.where(lawless, 0.01, 1.99)):
        fitted = fit_family(asked(frame, family, trials=1, folds=2), frame.copy(), weights=weights)
        rounds.append(
            fitted.params["max_iter" if family == "gradient_boosting" else "n_estimators"]
        )
    assert 2 * rounds[0] < rounds[1]


def test_a_weighted_fit_leaves_the_matrix_to_the_next_setting():
    data = load_diabetes()
    matrix = np.ascontiguousarray(data.data)
    before, weights = matrix.copy(), np.linspace(0.1, 2, len(matrix))
    estimator = Ridge(alpha=0.5, copy_X=False)
    fit(estimator, matrix, data.target, {}, weights=weights)
    assert np.array_equal(matrix, before)
    expected = Ridge(alpha=0.5).fit(before, data.target, sample_weight=weights)
    assert np.allclose(estimator.coef_, expected.coef_)


def test_an_estimator_that_takes_no_weights_is_refused_by_name():
    spec = FamilySpec(name="near", estimator="sklearn.neighbors.KNeighborsRegressor")
    assert family_of(spec, "regression", "mae", 0, 1)
    with pytest.raises(UserError, match=r"near: where rows are weighted.*must take sample_weight"):
        family_of(spec, "regression", "mae", 0, 1, weighted=True)


def test_a_weighted_fit_is_that_of_repeated_rows():
    """Of a linear model, to rounding."""
    frame, _ = two_laws("regression")
    times = np.random.default_rng(2).integers(1, 4, ROWS)
    request = asked(frame, FamilySpec(name="linear", params={"alpha": 1e-6}), trials=1, folds=2)
    weighted = fit_family(request, frame.copy(), weights=times / times.mean())
    repeated = frame.loc[np.repeat(np.arange(ROWS), times)].reset_index(drop=True)
    plain = fit_family(request, repeated.copy())
    truth = frame["y"].to_numpy()
    ours, theirs = (
        Scored("regression", truth, predict_scores(one.model, frame[["a", "b"]], "regression"))
        for one in (weighted, plain)
    )
    assert exact_score("mae", ours) == pytest.approx(exact_score("mae", theirs), rel=0.01)
