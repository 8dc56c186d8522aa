"""The model families: estimator, encoding, sane defaults and what a search tries.

====================  ==========================================================================
linear                ridge or logistic regression on scaled columns, one-hot text
gradient_boosting     histogram gradient boosting: missing values and categories natively; where
                      the metric is an absolute error, that loss is searched as well
random_forest,        60 trees, each on at most 50,000 rows and with at most about 6,000 leaves,
extra_trees           so that two million rows stay small in memory and in the model's file; the
                      search makes do with half the trees, as they rank settings just as well
by import path        scaled columns without missing values, which every estimator can take
====================  ==========================================================================
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pipeline_components.contracts.metrics import Task
from pipeline_components.contracts.train_spec import FamilySpec
from pipeline_components.model.table_encoder import MOST_DOUBLES

from .estimator_path import build_estimator, import_estimator

TREE_ROWS = 50_000
"""Rows one tree of a forest is grown on, at most."""

SEARCH_TREES = 30
"""Trees of a forest in the search, at least; half of the forest's where that is more."""

TREE_LEAVES = 6_000
"""Leaves of one tree, about; 60 such trees make a model file of some 20 MB."""

Space = dict[str, tuple[Any, ...]]


@dataclass(frozen=True)
class Family:
    """One family, ready to build estimators.

    Attributes
    ----------
    style : str
        How ``TableEncoder`` encodes for it.
    build : callable
        Parameters → unfitted estimator.
    defaults : dict
        Parameters of the first trial.
    space : dict
        Parameter → values a search tries.
    by_shape : callable
        Rows and columns to fit on → parameters that bound memory; the spec's own values win.
    in_search : callable
        Parameters → what stands in for some of them while settings are compared.
    """

    style: str
    build: Callable[[dict[str, Any]], Any]
    defaults: dict[str, Any]
    space: Space
    by_shape: Callable[[int, int], dict[str, Any]] = field(default=lambda *_: {})
    in_search: Callable[[dict[str, Any]], dict[str, Any]] = field(default=lambda _: {})


def family_of(spec: FamilySpec, task: Task, metric: str, seed: int, threads: int) -> Family:
    """The family a spec names.

    Parameters
    ----------
    spec : FamilySpec
        Its ``params`` are fixed: they take the place of defaults and are not searched.
    task, metric : str
    seed : int
    threads : int
        Given to estimators that can use them for fitting without changing a bit.

    Raises
    ------
    UserError
        If its estimator cannot be imported, does not fit the task or lacks a parameter.
    """
    if spec.estimator is not None:
        return _by_path(spec, spec.estimator, task, seed)
    regression = task == "regression"
    path, style, defaults, space = {
        "linear": lambda: _linear(regression),
        "gradient_boosting": lambda: _boosting(regression, metric),
        "random_forest": lambda: _forest("RandomForest", regression),
        "extra_trees": lambda: _forest("ExtraTrees", regression),
    }[spec.name]()
    kind = import_estimator(path, task)
    always = _seeded(kind, seed)
    if style == "onehot":
        always["n_jobs"] = threads
    elif style == "scaled" and regression:
        always["copy_X"] = False  # the matrix is ours, and the largest thing in memory
    fixed = dict(spec.params)
    build_estimator(path, kind, {**fixed, **dict.fromkeys(spec.search or {})})
    by_shape: Callable[[int, int], dict[str, Any]] = lambda *_: {}  # noqa: E731
    if style == "onehot":
        bootstrap = bool(fixed.get("bootstrap", defaults["bootstrap"]))
        by_shape = lambda rows, _: _forest_bounds(rows, bootstrap, fixed)  # noqa: E731
    elif not regression and style == "scaled":
        by_shape = lambda rows, columns: _linear_bounds(rows, columns, fixed)  # noqa: E731
    searched = {k: v for k, v in (spec.search or space).items() if k not in fixed}
    return Family(
        style=style,
        build=lambda params: build_estimator(path, kind, {**always, **params}),
        defaults={**defaults, **fixed},
        space=searched,
        by_shape=by_shape,
        in_search=_fewer_trees if style == "onehot" and "n_estimators" not in searched else _as_is,
    )


def _by_path(spec: FamilySpec, path: str, task: Task, seed: int) -> Family:
    kind = import_estimator(path, task)
    always = _seeded(kind, seed)
    # Every name is checked now, the searched ones too.
    build_estimator(
        path, kind, {**spec.params, **{k: v[0] for k, v in (spec.search or {}).items()}}
    )
    return Family(
        style="scaled",
        build=lambda params: build_estimator(path, kind, {**always, **params}),
        defaults=dict(spec.params),
        space={k: v for k, v in (spec.search or {}).items() if k not in spec.params},
    )


def _seeded(kind: Any, seed: int) -> dict[str, Any]:
    try:
        known = kind().get_params()
    except TypeError:
        return {}
    always: dict[str, Any] = {"random_state": seed} if "random_state" in known else {}
    if known.get("n_jobs") not in (None, 1):
        always["n_jobs"] = 1
    return always


def _linear(regression: bool) -> tuple[str, str, dict[str, Any], Space]:
    if regression:
        alphas = (1.0, 0.01, 0.1, 10.0, 100.0, 1000.0)
        return "sklearn.linear_model.Ridge", "scaled", {"alpha": 1.0}, {"alpha": alphas}
    # Newton's method with a Cholesky step needs few passes and always converges.
    return (
        "sklearn.linear_model.LogisticRegression",
        "scaled",
        {"C": 1.0, "solver": "newton-cholesky"},
        {"C": (1.0, 0.001, 0.01, 0.1, 10.0, 100.0)},
    )


def _boosting(regression: bool, metric: str) -> tuple[str, str, dict[str, Any], Space]:
    defaults: dict[str, Any] = {
        "early_stopping": False, "learning_rate": 0.1, "max_iter": 100, "max_leaf_nodes": 31,
        "min_samples_leaf": 20, "l2_regularization": 0.0,
    }  # fmt: skip
    space: Space = {
        "learning_rate": (0.1, 0.05, 0.2),
        "max_iter": (100, 200),
        "max_leaf_nodes": (31, 15, 63),
        "min_samples_leaf": (20, 5, 50),
        "l2_regularization": (0.0, 1.0, 10.0),
    }
    if regression and metric in ("mae", "median_ae"):
        space["loss"] = ("squared_error", "absolute_error")
    name = "Regressor" if regression else "Classifier"
    return f"sklearn.ensemble.HistGradientBoosting{name}", "codes", defaults, space


def _forest(name: str, regression: bool) -> tuple[str, str, dict[str, Any], Space]:
    defaults = {
        "bootstrap": True, "n_estimators": 60, "max_features": 0.5 if regression else "sqrt",
    }  # fmt: skip
    space: Space = {
        "max_features": (0.5, "sqrt", 0.3, 0.8),
        "min_samples_leaf": (1, 3, 10, 30),
    }
    kind = "Regressor" if regression else "Classifier"
    return f"sklearn.ensemble.{name}{kind}", "onehot", defaults, space


def _fewer_trees(params: dict[str, Any]) -> dict[str, Any]:
    trees = int(params["n_estimators"])
    return {"n_estimators": min(trees, max(SEARCH_TREES, trees // 2))}


def _as_is(params: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    return {}


def _linear_bounds(rows: int, columns: int, fixed: dict[str, Any]) -> dict[str, Any]:
    """Newton's step needs the matrix a second time; above this size gradients must do."""
    if "solver" in fixed or rows * columns <= MOST_DOUBLES:
        return {}
    return {"solver": "lbfgs", "max_iter": 200}


def _forest_bounds(rows: int, bootstrap: bool, fixed: dict[str, Any]) -> dict[str, Any]:
    """Rows and leaves of a tree, where the spec does not say."""
    bounds: dict[str, Any] = {}
    if bootstrap and "max_samples" not in fixed and rows > TREE_ROWS:
        bounds["max_samples"] = TREE_ROWS
    if "max_leaf_nodes" not in fixed and "min_samples_leaf" not in fixed:
        grown_on = TREE_ROWS if bounds else rows
        bounds["min_samples_leaf"] = max(1, math.ceil(grown_on / TREE_LEAVES / 2))
    return bounds
