"""Accuracy: the share of rows whose most probable class is the true one.

Examples
--------
>>> from everfit.ml.scoring.metric_sums import score
>>> score("accuracy", [0, 1, 1, 0], [0.1, 0.8, 0.4, 0.3])
0.75
"""

from __future__ import annotations

from everfit.contracts.spec.metric import Array, Arrays, Metric, Rows, Sums, Totals
from everfit.contracts.spec.row_losses import ERROR


def _correct(rows: Rows, xp: Arrays) -> Array:  # noqa: ARG001
    return rows.is_correct


def _score(total: Totals, xp: Arrays) -> Array:  # noqa: ARG001
    return total[0] / total.rows


def _without_errors(mean: Array, xp: Arrays) -> Array:  # noqa: ARG001
    return 1 - mean


METRIC = Metric(
    name="accuracy",
    title="accuracy",
    words="accuracy",
    meaning="share of rows whose most probable class is the true one",
    tasks=("binary", "multiclass"),
    greater_is_better=True,
    reads="class",
    highest=1.0,
    row_loss=ERROR,
    of_mean_loss=_without_errors,
    mean_of_losses=True,
    estimate=Sums((_correct,), _score),  # 1 less the share of errors would be off in the last digit
)
