"""LightGBM: histogram gradient boosting, two to three times cheaper than scikit-learn's."""

from __future__ import annotations

from everfit.contracts.spec.family import Family, Params, Space
from everfit.contracts.spec.metrics import Metric, Task
from everfit.contracts.spec.row_losses import ABSOLUTE_ERROR

PATIENCE = 30
"""Rounds without a gain on the rows held out, after which fitting stops."""


class LightGBM(Family):
    """Trees that each correct those before, by LightGBM."""

    name = "lightgbm"
    title = "LightGBM"
    words = "gradient boosting by LightGBM, where the extra `lightgbm` is installed"
    encoding = "codes"
    regressor = "boosters.lightgbm.Regressor"
    classifier = "boosters.lightgbm.Classifier"
    needs = "lightgbm"
    categories_as = "categorical_features"
    rounds = "n_estimators"

    def defaults(self, task: Task) -> Params:  # noqa: ARG002
        """Parameters of the first trial."""
        return {
            "n_estimators": 200,
            "learning_rate": 0.05,
            "num_leaves": 31,
            "min_child_samples": 20,
            "colsample_bytree": 0.6,
        }

    def ladder(self, task: Task, metric: Metric) -> tuple[Params, ...]:  # noqa: ARG002
        """Its own loss; trees of a few leaves; random thresholds; large trees held back."""
        own: tuple[Params, ...] = ()
        if metric.row_loss is ABSOLUTE_ERROR:
            own = ({"objective": "regression_l1"},)
        return (
            *own,
            {"learning_rate": 0.1, "num_leaves": 6, "min_child_samples": 10, "reg_lambda": 1.0},
            {
                "learning_rate": 0.07,
                "num_leaves": 64,
                "min_child_samples": 10,
                "colsample_bytree": 0.8,
                "extra_trees": True,
            },
            {
                "num_leaves": 64,
                "min_child_samples": 30,
                "colsample_bytree": 0.5,
                "subsample": 0.7,
                "subsample_freq": 1,
                "reg_lambda": 5.0,
            },
        )

    def space(self, task: Task, metric: Metric) -> Space:  # noqa: ARG002
        """How fast and how finely it fits; also which loss, for an absolute error."""
        space: dict[str, tuple[float | str | bool, ...]] = {
            "learning_rate": (0.05, 0.1, 0.03),
            "num_leaves": (31, 15, 63, 8, 127),
            "min_child_samples": (20, 5, 50),
            "colsample_bytree": (0.6, 0.4, 0.8, 1.0),
            "reg_lambda": (0.0, 1.0, 10.0),
            "extra_trees": (False, True),
        }
        if metric.row_loss is ABSOLUTE_ERROR:
            space["objective"] = ("regression", "regression_l1")
        return space

    def fitting(self, task: Task, threads: int) -> Params:  # noqa: ARG002
        """As many threads as the spec says: by itself it takes all cores."""
        return {"n_jobs": threads}

    def stopping(self, task: Task, metric: Metric) -> Params:  # noqa: ARG002
        """Until the rows held out are predicted no better."""
        watched = {"metric": "l1"} if metric.row_loss is ABSOLUTE_ERROR else {}
        return {"early_stopping_rounds": PATIENCE, **watched}


FAMILY = LightGBM()
