"""Whether a refitted model predicts the rows it has learned at least as well as the judged one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from everfit.contracts.messages.training import TrainRequest
from everfit.ml.scoring.predictions import codes, positive_class, predictions
from everfit.ml.scoring.scored import Scored, row_losses

if TYPE_CHECKING:
    import pandas as pd

    from everfit.ml.scoring.resampling import Floats

SURELY = 3.0
"""Standard errors of the mean paired difference."""


@dataclass(frozen=True)
class Compared:
    """Both models on the holdout, which the refitted one has learned and the judged one has not."""

    rows: int
    not_finite: int
    """Rows for which the refitted model predicts no finite number."""
    worse: float
    """Mean difference of row losses in its standard errors; positive: the refitted one is worse."""

    @property
    def refused(self) -> str:
        """Why the refitted model may not serve; empty where it may."""
        if self.not_finite:
            return f"{self.not_finite:,} of its {self.rows:,} predictions are not finite"
        if self.worse > SURELY:
            return (
                f"it predicts the {self.rows:,} holdout rows it has learned surely worse than the "
                f"judged model, which has not ({self.worse:.1f} standard errors)"
            )
        return ""


def compare(
    judged: Any,
    refitted: Any,
    holdout: pd.DataFrame,
    request: TrainRequest,
    weights: Floats | None = None,
) -> Compared:
    """Compare row losses on the holdout.

    Parameters
    ----------
    judged, refitted : Pipeline
        Fitted; raw rows in.
    holdout : DataFrame of n rows
        Features and target.
    request : TrainRequest
        What the judged model was fitted by.
    weights : (n,) array, optional
        How much each row counts.
    """
    truth = holdout[request.target]
    answers = (
        truth.to_numpy(np.float64) if request.classes is None else codes(truth, request.classes)
    )
    positive = (
        positive_class(request.positive, request.classes)
        if request.task == "binary" and request.classes is not None
        else 1
    )
    raw = holdout.drop(columns=[request.target])
    both = [
        Scored.of(
            request.task,
            answers,
            predictions(model, raw, request.task, request.classes),
            positive,
        )
        for model in (judged, refitted)
    ]
    losses = [row_losses(request.metric, one) for one in both]
    worse = losses[1] - losses[0]
    if weights is not None:  # what each row says of the weighted mean
        share = weights / weights.mean()
        mean = float((share @ worse) / len(worse))
        worse = mean + share * (worse - mean)
    return Compared(len(holdout), both[1].not_finite, _standard_errors(worse))


def _standard_errors(worse: Floats) -> float:
    """The mean in its standard errors; 0 where nothing is known."""
    known = worse[np.isfinite(worse)]
    if len(known) < 2 or not known.any():
        return 0.0
    error = float(known.std(ddof=1)) / len(known) ** 0.5
    return float(known.mean()) / error if error else float(np.sign(known.mean())) * np.inf
