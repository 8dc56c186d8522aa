"""Area under the ROC curve: the chance that a positive row is scored above a negative one.

Examples
--------
Of the four pairs, the positives win three and tie in one:

>>> from everfit.ml.scoring.metric_sums import score
>>> score("roc_auc", [0, 1, 1, 0], [0.1, 0.8, 0.4, 0.4])
0.875
>>> score("roc_auc", [1, 1], [0.1, 0.8])  # a single class
nan
"""

from __future__ import annotations

from everfit.contracts.spec.metric import Array, Arrays, Metric, Ranks, where_positive
from everfit.contracts.spec.row_losses import LOG_LOSS


def _score(positives: Array, negatives: Array, xp: Arrays) -> Array:
    beaten = xp.cumsum(negatives, axis=1) - negatives / 2
    pairs = positives.sum(axis=1) * negatives.sum(axis=1)
    return (positives * beaten).sum(axis=1) / where_positive(pairs, xp)


METRIC = Metric(
    name="roc_auc",
    title="ROC AUC",
    words="area under the ROC curve",
    meaning="chance that a positive row is scored above a negative one; ties count half",
    tasks=("binary",),
    greater_is_better=True,
    reads="probability",
    highest=1.0,
    row_loss=LOG_LOSS,
    estimate=Ranks(_score),
)
