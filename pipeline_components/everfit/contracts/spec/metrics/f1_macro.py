"""Macro F1: the mean F1 of the classes that occur or are predicted.

Examples
--------
Class 0 has an F1 of 2/3 (precision 1, recall 1/2), class 1 too (precision 1/2, recall 1), class 2
one of 1:

>>> from everfit.ml.scoring.metric_sums import score
>>> likely = [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8]]
>>> round(score("f1_macro", [0, 0, 1, 2], likely), 6)
0.777778
"""

from __future__ import annotations

from everfit.contracts.spec.metric import Array, Arrays, ClassCounts, Counts, Metric
from everfit.contracts.spec.metrics.f1 import f1_of_classes
from everfit.contracts.spec.row_losses import ERROR


def _score(count: Counts, xp: Arrays) -> Array:
    there = count.actual + count.predicted > 0
    return f1_of_classes(count, xp).sum(axis=1) / there.sum(axis=1)


METRIC = Metric(
    name="f1_macro",
    title="macro F1",
    words="macro F1 score",
    meaning="mean F1 over the classes that occur or are predicted",
    tasks=("multiclass",),
    greater_is_better=True,
    reads="class",
    highest=1.0,
    row_loss=ERROR,
    estimate=ClassCounts(_score),
)
