"""Log loss: how surprised the model is by what happened.

Examples
--------
Probabilities of 0.9, 0.8, 0.4 and 0.7 for what was true; −ln of them is 0.105, 0.223, 0.916, 0.357:

>>> from everfit.ml.scoring.metric_sums import score
>>> round(score("log_loss", [0, 1, 1, 0], [0.1, 0.8, 0.4, 0.3]), 4)
0.4004
"""

from __future__ import annotations

from everfit.contracts.spec.metric import Metric, itself
from everfit.contracts.spec.row_losses import LOG_LOSS

METRIC = Metric(
    name="log_loss",
    title="log loss",
    words="log loss",
    meaning="mean −log of the probability given to the true class, kept 2.2e-16 away from 0 and 1",
    tasks=("binary", "multiclass"),
    greater_is_better=False,
    reads="probability",
    row_loss=LOG_LOSS,
    of_mean_loss=itself,
    mean_of_losses=True,
)
