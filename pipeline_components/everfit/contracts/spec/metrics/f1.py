"""F1: the harmonic mean of precision and recall of the positive class.

Examples
--------
One of two positives is found, and nothing else is taken for one: precision 1, recall 1/2.

>>> from everfit.ml.scoring.metric_sums import score
>>> round(score("f1", [0, 1, 1, 0], [0.1, 0.8, 0.4, 0.3]), 6)
0.666667
"""

from __future__ import annotations

from everfit.contracts.spec.metric import Array, Arrays, ClassCounts, Counts, Metric
from everfit.contracts.spec.row_losses import ERROR


def f1_of_classes(count: Counts, xp: Arrays) -> Array:
    """F1 of each class; 0 where it neither occurs nor is predicted."""
    either = count.actual + count.predicted
    return xp.where(either > 0, 2 * count.correct / either, 0)


def _score(count: Counts, xp: Arrays) -> Array:
    return f1_of_classes(count, xp)[:, count.positive]


METRIC = Metric(
    name="f1",
    title="F1",
    words="F1 score",
    meaning="harmonic mean of precision and recall of the positive class",
    tasks=("binary",),
    greater_is_better=True,
    reads="class",
    highest=1.0,
    row_loss=ERROR,
    estimate=ClassCounts(_score),
)
