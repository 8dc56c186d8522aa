"""Root mean squared error: large errors weigh more than in a mean absolute error.

Examples
--------
Squared errors of 0, 1, 0 and 16, whose mean is 17/4:

>>> from everfit.ml.scoring.metric_sums import score
>>> round(score("rmse", [1, 2, 3, 10], [1, 3, 3, 6]), 6)
2.061553
"""

from __future__ import annotations

from everfit.contracts.spec.metric import Array, Arrays, Metric
from everfit.contracts.spec.row_losses import SQUARED_ERROR


def _root(mean: Array, xp: Arrays) -> Array:
    return xp.sqrt(mean)


METRIC = Metric(
    name="rmse",
    title="RMSE",
    words="root mean squared error",
    meaning="root of the mean squared error",
    tasks=("regression",),
    greater_is_better=False,
    reads="number",
    in_target_unit=True,
    row_loss=SQUARED_ERROR,
    of_mean_loss=_root,
)
