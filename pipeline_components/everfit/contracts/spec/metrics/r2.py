"""Coefficient of determination: how much of the target's variance the predictions explain.

Examples
--------
Squared errors add up to 17, squares about the mean of 4 to 9 + 4 + 1 + 36 = 50:

>>> from everfit.ml.scoring.metric_sums import score
>>> round(score("r2", [1, 2, 3, 10], [1, 3, 3, 6]), 6)
0.66
>>> score("r2", [5, 5], [5, 6])  # a target that does not vary
nan
"""

from __future__ import annotations

import math

from everfit.contracts.spec.metric import (
    Array,
    Arrays,
    Metric,
    Rows,
    Sums,
    Totals,
    where_positive,
)
from everfit.contracts.spec.row_losses import SQUARED_ERROR


def _target(rows: Rows, xp: Arrays) -> Array:  # noqa: ARG001
    return rows.truth - rows.truth.mean()  # centred, so that squares do not cancel


def _target_squared(rows: Rows, xp: Arrays) -> Array:
    return _target(rows, xp) ** 2


def _score(total: Totals, xp: Arrays) -> Array:
    error, target, squared = total[0], total[1], total[2]
    return 1 - error / where_positive(squared - target**2 / total.rows, xp)


METRIC = Metric(
    name="r2",
    title="R²",
    words="coefficient of determination",
    meaning="1 − squared error / variance of the target",
    tasks=("regression",),
    greater_is_better=True,
    reads="number",
    lowest=-math.inf,
    highest=1.0,
    row_loss=SQUARED_ERROR,
    estimate=Sums((SQUARED_ERROR.of, _target, _target_squared), _score),
)
