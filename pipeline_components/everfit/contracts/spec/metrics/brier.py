"""Brier score: the mean squared error of the positive class's probability.

Examples
--------
Squares of 0.1, 0.2, 0.6 and 0.3:

>>> from everfit.ml.scoring.metric_sums import score
>>> round(score("brier", [0, 1, 1, 0], [0.1, 0.8, 0.4, 0.3]), 6)
0.125
"""

from __future__ import annotations

from everfit.contracts.spec.metric import Array, Arrays, Metric, RowLoss, Rows, itself


def _squared_error(rows: Rows, xp: Arrays) -> Array:  # noqa: ARG001
    return (rows.probability - rows.is_positive) ** 2


METRIC = Metric(
    name="brier",
    title="Brier score",
    words="mean squared error of the probability",
    meaning="mean squared error of the positive class's probability",
    tasks=("binary",),
    greater_is_better=False,
    reads="probability",
    highest=1.0,
    row_loss=RowLoss("squared error of the probability", _squared_error),
    of_mean_loss=itself,
    mean_of_losses=True,
)
