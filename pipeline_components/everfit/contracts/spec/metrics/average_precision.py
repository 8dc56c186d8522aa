"""Average precision: the precision at each positive, in falling order of probability.

Examples
--------
The positives come first and third: precisions of 1 and 2/3.

>>> from everfit.ml.scoring.metric_sums import score
>>> round(score("average_precision", [0, 1, 1, 0], [0.1, 0.8, 0.4, 0.5]), 6)
0.833333
"""

from __future__ import annotations

from everfit.contracts.spec.metric import Array, Arrays, Metric, Ranks, where_positive
from everfit.contracts.spec.row_losses import LOG_LOSS


def _score(positives: Array, negatives: Array, xp: Arrays) -> Array:
    positives, negatives = xp.flip(positives, axis=1), xp.flip(negatives, axis=1)
    found = xp.cumsum(positives, axis=1)
    named = found + xp.cumsum(negatives, axis=1)
    precision = xp.where(named > 0, found / named, 0)
    return (positives * precision).sum(axis=1) / where_positive(positives.sum(axis=1), xp)


METRIC = Metric(
    name="average_precision",
    title="average precision",
    words="average precision",
    meaning="precision averaged over the positives in order of score",
    tasks=("binary",),
    greater_is_better=True,
    reads="probability",
    highest=1.0,
    row_loss=LOG_LOSS,
    estimate=Ranks(_score),
)
