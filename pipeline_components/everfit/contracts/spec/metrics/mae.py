"""Mean absolute error.

Examples
--------
Errors of 0, 1, 0 and 4:

>>> from everfit.ml.scoring.metric_sums import score
>>> score("mae", [1, 2, 3, 10], [1, 3, 3, 6])
1.25
"""

from __future__ import annotations

from everfit.contracts.spec.metric import Metric, itself
from everfit.contracts.spec.row_losses import ABSOLUTE_ERROR

METRIC = Metric(
    name="mae",
    title="MAE",
    words="mean absolute error",
    meaning="mean absolute error",
    tasks=("regression",),
    greater_is_better=False,
    reads="number",
    in_target_unit=True,
    row_loss=ABSOLUTE_ERROR,
    of_mean_loss=itself,
    mean_of_losses=True,
)
