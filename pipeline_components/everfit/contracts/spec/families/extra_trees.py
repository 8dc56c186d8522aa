"""Extra trees: a random forest whose thresholds are drawn at random."""

from __future__ import annotations

from everfit.contracts.spec.families.random_forest import RandomForest


class ExtraTrees(RandomForest):
    """A random forest whose thresholds are drawn at random."""

    name = "extra_trees"
    title = "extra trees"
    words = "a random forest that draws the thresholds of its splits at random"
    regressor = "sklearn.ensemble.ExtraTreesRegressor"
    classifier = "sklearn.ensemble.ExtraTreesClassifier"


FAMILY = ExtraTrees()
