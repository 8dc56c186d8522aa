"""A random forest: trees on samples of the rows, averaged.

Two million rows stay small in memory and in the model's file: a tree is grown on at most 50,000
rows and has at most about 6,000 leaves.
"""

from __future__ import annotations

import math
from collections.abc import Collection

from everfit.contracts.spec.family import Family, Params, Space, Value
from everfit.contracts.spec.metrics import Metric, Task

TREE_ROWS = 50_000
"""Rows one tree is grown on, at most."""

SEARCH_TREES = 30
"""Trees in the search, at least; half of the forest's where that is more."""

TREE_LEAVES = 6_000
"""Leaves of one tree, about; 60 such trees make a model file of some 20 MB."""


class RandomForest(Family):
    """Trees on samples of the rows, averaged."""

    name = "random_forest"
    title = "random forest"
    words = "60 trees, each on at most 50,000 rows and with at most about 6,000 leaves"
    encoding = "onehot"
    regressor = "sklearn.ensemble.RandomForestRegressor"
    classifier = "sklearn.ensemble.RandomForestClassifier"

    def defaults(self, task: Task) -> Params:
        """Parameters of the first trial."""
        return {
            "bootstrap": True,
            "n_estimators": 60,
            "max_features": 0.5 if task == "regression" else "sqrt",
        }

    def space(self, task: Task, metric: Metric) -> Space:  # noqa: ARG002
        """Columns tried at a split, and rows of a leaf."""
        return {"max_features": (0.5, "sqrt", 0.3, 0.8), "min_samples_leaf": (1, 3, 10, 30)}

    def fitting(self, task: Task, threads: int) -> Params:  # noqa: ARG002
        """Trees are grown side by side."""
        return {"n_jobs": threads}

    def bounds(
        self,
        task: Task,  # noqa: ARG002
        rows: int,
        columns: int,  # noqa: ARG002
        params: Params,
        fixed: Collection[str],
    ) -> Params:
        """Rows and leaves of a tree, where the spec does not say."""
        bounds: dict[str, Value] = {}
        if params.get("bootstrap") and "max_samples" not in params and rows > TREE_ROWS:
            bounds["max_samples"] = TREE_ROWS
        if "max_leaf_nodes" not in fixed and "min_samples_leaf" not in fixed:
            grown_on = TREE_ROWS if bounds else rows
            least = max(1, math.ceil(grown_on / TREE_LEAVES / 2))
            tried = params.get("min_samples_leaf")
            bounds["min_samples_leaf"] = max(tried, least) if isinstance(tried, int) else least
        return bounds

    def in_search(self, params: Params) -> Params:
        """Half the trees: they rank settings just as well."""
        trees = params["n_estimators"]
        if not isinstance(trees, int):
            return {}
        return {"n_estimators": min(trees, max(SEARCH_TREES, trees // 2))}


FAMILY = RandomForest()
