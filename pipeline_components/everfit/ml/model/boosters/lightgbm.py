"""LightGBM as an estimator: the same rows give the same text, whatever the threads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from everfit.ml.model.boosters.booster import Booster, BoosterClassifier, BoosterRegressor

ALWAYS = {"deterministic": True, "force_col_wise": True, "verbosity": -1}
"""Sums in a fixed order, one layout of the table, and no lines on standard output."""

FEWEST_THREADS = 1


class _LightGBM(Booster):
    """Parameters are named as in LightGBM's own scikit-learn interface.

    Parameters
    ----------
    objective : str, optional
        Such as ``regression_l1``, ``quantile``, ``poisson``, ``gamma`` or ``tweedie``; default by
        the task.
    metric : str, optional
        What is watched on rows held out; default the objective's own.
    early_stopping_rounds : int, optional
        Rounds without a gain on rows held out, after which fitting stops.
    alpha : float
        The quantile, for that objective.
    categorical_features : list of int, optional
        Columns that hold codes of categories.
    """

    def __init__(
        self,
        *,
        n_estimators: int = 100,
        learning_rate: float = 0.1,
        num_leaves: int = 31,
        max_depth: int = -1,
        min_child_samples: int = 20,
        min_child_weight: float = 1e-3,
        min_split_gain: float = 0.0,
        subsample: float = 1.0,
        subsample_freq: int = 0,
        colsample_bytree: float = 1.0,
        colsample_bynode: float = 1.0,
        reg_alpha: float = 0.0,
        reg_lambda: float = 0.0,
        max_bin: int = 255,
        extra_trees: bool = False,
        path_smooth: float = 0.0,
        cat_smooth: float = 10.0,
        cat_l2: float = 10.0,
        min_data_per_group: int = 100,
        max_cat_to_onehot: int = 4,
        is_unbalance: bool = False,
        scale_pos_weight: float = 1.0,
        monotone_constraints: Sequence[int] | None = None,
        objective: str | None = None,
        alpha: float = 0.9,
        tweedie_variance_power: float = 1.5,
        metric: str | None = None,
        early_stopping_rounds: int | None = None,
        categorical_features: Sequence[int] | None = None,
        n_jobs: int = 1,
        random_state: int = 0,
    ) -> None:
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.num_leaves = num_leaves
        self.max_depth = max_depth
        self.min_child_samples = min_child_samples
        self.min_child_weight = min_child_weight
        self.min_split_gain = min_split_gain
        self.subsample = subsample
        self.subsample_freq = subsample_freq
        self.colsample_bytree = colsample_bytree
        self.colsample_bynode = colsample_bynode
        self.reg_alpha = reg_alpha
        self.reg_lambda = reg_lambda
        self.max_bin = max_bin
        self.extra_trees = extra_trees
        self.path_smooth = path_smooth
        self.cat_smooth = cat_smooth
        self.cat_l2 = cat_l2
        self.min_data_per_group = min_data_per_group
        self.max_cat_to_onehot = max_cat_to_onehot
        self.is_unbalance = is_unbalance
        self.scale_pos_weight = scale_pos_weight
        self.monotone_constraints = monotone_constraints
        self.objective = objective
        self.alpha = alpha
        self.tweedie_variance_power = tweedie_variance_power
        self.metric = metric
        self.early_stopping_rounds = early_stopping_rounds
        self.categorical_features = categorical_features
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _train(
        self, matrix: Any, values: Any, weights: Any, held: tuple[Any, ...] | None, classes: int
    ) -> tuple[str, int]:
        import lightgbm

        params = self._params(classes)
        codes = list(self.categorical_features or ())
        data = lightgbm.Dataset(
            matrix, values, weight=weights, categorical_feature=codes, params=params
        )
        watched: list[Any] = []
        callbacks: list[Any] = []
        if held is not None:
            watched = [data.create_valid(np.asarray(held[0]), held[1], weight=held[2])]
            if self.early_stopping_rounds:
                callbacks = [lightgbm.early_stopping(self.early_stopping_rounds, verbose=False)]
        trained = lightgbm.train(
            params, data, self.n_estimators, valid_sets=watched, callbacks=callbacks
        )
        rounds = trained.best_iteration if callbacks else trained.current_iteration()
        return trained.model_to_string(num_iteration=rounds), int(rounds)

    def _params(self, classes: int) -> dict[str, Any]:
        """LightGBM's parameters: all of ours but those that it takes apart."""
        apart = ("n_estimators", "early_stopping_rounds", "categorical_features", "n_jobs")
        given = {
            name: value
            for name, value in self.get_params(deep=False).items()
            if name not in apart and value is not None
        }
        usual = ("regression", "binary", "multiclass")[min(max(classes - 1, 0), 2)]
        if classes > 2:
            given["num_class"] = classes
        # LightGBM takes 0 and less for all cores.
        threads = max(FEWEST_THREADS, int(self.n_jobs or FEWEST_THREADS))
        return {"objective": usual, **given, **ALWAYS, "num_threads": threads}

    def _read(self, text: str) -> Any:
        import lightgbm

        return lightgbm.Booster(model_str=text)

    def _predict(self, live: Any, matrix: Any) -> NDArray[np.float64]:
        return np.asarray(live.predict(matrix, num_threads=1), dtype=np.float64)


class Regressor(_LightGBM, BoosterRegressor):
    """LightGBM for a regression."""


class Classifier(_LightGBM, BoosterClassifier):
    """LightGBM for classes."""
