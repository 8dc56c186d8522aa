"""Gradient boosting by the best library that is installed."""

from __future__ import annotations

from everfit.contracts.spec.families.gradient_boosting import GradientBoosting


class Boosting(GradientBoosting):
    """LightGBM's where it is installed, else scikit-learn's."""

    name = "boosting"
    title = "gradient boosting"
    words = "`lightgbm` where it is installed, else `gradient_boosting`"
    stands_for = ("lightgbm", "gradient_boosting")


FAMILY = Boosting()
