"""Median absolute error: a few rows that are far off do not move it.

Examples
--------
Errors of 0, 0, 1 and 4:

>>> from everfit.ml.scoring.metric_sums import score
>>> score("median_ae", [1, 2, 3, 10], [1, 3, 3, 6])
0.5
"""

from __future__ import annotations

from everfit.contracts.spec.metric import MedianLoss, Metric
from everfit.contracts.spec.row_losses import ABSOLUTE_ERROR

METRIC = Metric(
    name="median_ae",
    title="median AE",
    words="median absolute error",
    meaning="median absolute error",
    tasks=("regression",),
    greater_is_better=False,
    reads="number",
    in_target_unit=True,
    row_loss=ABSOLUTE_ERROR,
    estimate=MedianLoss(),
)
