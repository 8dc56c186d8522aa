"""Histogram gradient boosting: trees that each correct those before."""

from __future__ import annotations

from collections.abc import Collection

from everfit.contracts.spec.family import Family, Params, Space
from everfit.contracts.spec.metrics import Metric, Task
from everfit.contracts.spec.row_losses import ABSOLUTE_ERROR

PATIENCE = 20
"""Rounds without a gain on the rows held out, after which fitting stops."""

SCORERS = {"mae": "neg_mean_absolute_error", "median_ae": "neg_mean_absolute_error"}
"""Metric → what is watched while fitting, where it is not the loss itself."""


class GradientBoosting(Family):
    """Trees that each correct those before."""

    name = "gradient_boosting"
    title = "gradient boosting"
    words = "histogram gradient boosting, which reads missing values and categories as they are"
    encoding = "codes"
    regressor = "sklearn.ensemble.HistGradientBoostingRegressor"
    classifier = "sklearn.ensemble.HistGradientBoostingClassifier"
    categories_as = "categorical_features"
    rounds = "max_iter"

    def defaults(self, task: Task) -> Params:  # noqa: ARG002
        """Parameters of the first trial."""
        return {
            "early_stopping": False,
            "learning_rate": 0.1,
            "max_iter": 100,
            "max_leaf_nodes": 31,
            "min_samples_leaf": 20,
            "l2_regularization": 0.0,
        }

    def ladder(self, task: Task, metric: Metric) -> tuple[Params, ...]:  # noqa: ARG002
        """The metric's own loss; small steps on some of the columns; small trees; large ones."""
        own: tuple[Params, ...] = ()
        if metric.row_loss is ABSOLUTE_ERROR:
            own = ({"loss": "absolute_error", "max_features": 0.5},)
        return (
            *own,
            {"learning_rate": 0.05, "max_features": 0.5},
            {"max_leaf_nodes": 8, "max_features": 0.5, "l2_regularization": 1.0},
            {"learning_rate": 0.05, "max_leaf_nodes": 63, "max_features": 0.5},
        )

    def space(self, task: Task, metric: Metric) -> Space:  # noqa: ARG002
        """How fast and how finely it fits; also which loss, for an absolute error."""
        space: dict[str, tuple[float | str, ...]] = {
            "learning_rate": (0.1, 0.05, 0.03),
            "max_leaf_nodes": (31, 15, 63, 8),
            "min_samples_leaf": (20, 5, 50),
            "l2_regularization": (0.0, 1.0, 10.0),
            "max_features": (1.0, 0.7, 0.4),
        }
        if metric.row_loss is ABSOLUTE_ERROR:
            space["loss"] = ("squared_error", "absolute_error")
        return space

    def stops(self, said: Collection[str]) -> bool:
        """Unless the spec says how many rounds, or how to stop."""
        return super().stops(said) and "early_stopping" not in said

    def stopping(self, task: Task, metric: Metric) -> Params:  # noqa: ARG002
        """Until the rows held out are predicted no better."""
        return {
            "early_stopping": True,
            "n_iter_no_change": PATIENCE,
            "scoring": SCORERS.get(metric.name, "loss"),
            "tol": 0.0,
        }


FAMILY = GradientBoosting()
