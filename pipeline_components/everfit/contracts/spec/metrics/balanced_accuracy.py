"""Balanced accuracy: the mean recall of the classes that occur, so that a rare one counts as much.

Examples
--------
All three of class 0 are found, and one of two of class 1:

>>> from everfit.ml.scoring.metric_sums import score
>>> score("balanced_accuracy", [0, 0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4, 0.9])
0.75
"""

from __future__ import annotations

from everfit.contracts.spec.metric import Array, Arrays, ClassCounts, Counts, Metric
from everfit.contracts.spec.row_losses import ERROR


def _score(count: Counts, xp: Arrays) -> Array:
    recall = xp.where(count.actual > 0, count.correct / count.actual, 0)
    return recall.sum(axis=1) / (count.actual > 0).sum(axis=1)


METRIC = Metric(
    name="balanced_accuracy",
    title="balanced accuracy",
    words="balanced accuracy",
    meaning="mean recall of the classes that occur",
    tasks=("binary", "multiclass"),
    greater_is_better=True,
    reads="class",
    highest=1.0,
    row_loss=ERROR,
    estimate=ClassCounts(_score),
)
