"""Ridge or logistic regression on scaled columns."""

from __future__ import annotations

from collections.abc import Collection

from everfit.contracts.spec.family import Family, Params, Space
from everfit.contracts.spec.metrics import Metric, Task

MOST_CELLS = 40_000_000
"""Cells of a table up to which Newton's method may hold the matrix a second time."""


class Linear(Family):
    """A weighted sum of the columns."""

    name = "linear"
    title = "linear model"
    words = "ridge or logistic regression on scaled columns, with text as columns of 0 and 1"
    encoding = "scaled"
    regressor = "sklearn.linear_model.Ridge"
    classifier = "sklearn.linear_model.LogisticRegression"

    def defaults(self, task: Task) -> Params:
        """Parameters of the first trial."""
        # Newton's method with a Cholesky step needs few passes and always converges.
        return {"alpha": 1.0} if task == "regression" else {"C": 1.0, "solver": "newton-cholesky"}

    def space(self, task: Task, metric: Metric) -> Space:  # noqa: ARG002
        """How strongly weights are kept small."""
        if task == "regression":
            return {"alpha": (1.0, 0.01, 0.1, 10.0, 100.0, 1000.0)}
        return {"C": (1.0, 0.001, 0.01, 0.1, 10.0, 100.0)}

    def fitting(self, task: Task, threads: int) -> Params:  # noqa: ARG002
        """The matrix is ours, and the largest thing in memory: it is not copied."""
        return {"copy_X": False} if task == "regression" else {}

    def bounds(
        self,
        task: Task,
        rows: int,
        columns: int,
        params: Params,  # noqa: ARG002
        fixed: Collection[str],
    ) -> Params:
        """Newton's step needs the matrix a second time; large tables are fitted by gradients."""
        if task == "regression" or "solver" in fixed or rows * columns <= MOST_CELLS:
            return {}
        return {"solver": "lbfgs", "max_iter": 200}


FAMILY = Linear()
