"""What the champion's loss would be while labels are late: an estimate, and marked as one.

On its holdout the champion's expected row loss is learnt as a function of its prediction, in bins
of equally many rows. A new span's expected loss is that function, averaged over the span's own
predictions. So a span with more of the rows that are hard to predict shows a rise; a world in
which equal predictions have become worse does not. Labels alone can tell that, and therefore an
estimate never switches a trigger on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from everfit.contracts.base import Frozen
from everfit.contracts.messages.monitoring import Rise
from everfit.contracts.spec.metrics import METRICS, Task
from everfit.contracts.wording import percent
from everfit.ml.scoring.resampling import Floats, Integers, clustered_variance
from everfit.ml.scoring.scored import Scored, by_mean_loss, row_losses

BINS = 50
"""At most so many bins of predictions."""
BIN_ROWS = 20
"""At least so many holdout rows in each."""
ONE_SIDED_95 = 1.6448536269514722


class Expected(Frozen):
    """Expected row loss by prediction, of one metric."""

    metric: str
    edges: tuple[float, ...] = Field(description="inner edges of the bins, ascending")
    rows: tuple[int, ...] = Field(description="holdout rows of each bin")
    loss: tuple[float, ...] = Field(description="mean row loss of each bin")
    spread: tuple[float, ...] = Field(description="standard deviation of the row loss of each bin")
    low: float = Field(description="smallest prediction of the holdout")
    high: float = Field(description="largest prediction of the holdout")


class ExpectedLosses(Frozen):
    """What was learnt on the champion's holdout; kept, so that the holdout is read once."""

    metrics: tuple[Expected, ...]


def prediction_of(task: Task, scores: Floats, positive: int) -> Floats:
    """One number a row: the prediction, the positive class's probability, or the largest one."""
    if task == "regression":
        return scores
    if task == "binary":
        return np.asarray(scores[:, positive])
    return np.asarray(scores.max(axis=1))


def learn(holdout: Scored, metrics: Sequence[str]) -> ExpectedLosses:
    """Learn the expected losses of those metrics that are functions of a mean row loss.

    Parameters
    ----------
    holdout : Scored
        The champion's answers to its own holdout.
    """
    if holdout.not_finite or holdout.rows < BIN_ROWS:
        return ExpectedLosses(metrics=())
    prediction = prediction_of(holdout.task, holdout.scores, holdout.positive)
    bins = int(np.clip(holdout.rows // BIN_ROWS, 1, BINS))
    edges = np.unique(np.quantile(prediction, np.arange(1, bins) / bins))
    place = np.searchsorted(edges, prediction, side="right")
    rows = np.bincount(place, minlength=len(edges) + 1)
    filled = rows > 0
    found = []
    for metric in metrics:
        if METRICS[metric].of_mean_loss is None:
            continue
        losses = row_losses(metric, holdout)
        if not np.isfinite(losses).all():
            continue
        sums = np.bincount(place, losses, len(rows))
        mean = np.where(filled, sums / np.maximum(rows, 1), losses.mean())
        squares = np.bincount(place, (losses - mean[place]) ** 2, len(rows))
        found.append(
            Expected(
                metric=metric,
                edges=tuple(edges.tolist()),
                rows=tuple(rows.tolist()),
                loss=tuple(mean.tolist()),
                spread=tuple(np.sqrt(squares / np.maximum(rows, 1)).tolist()),
                low=float(prediction.min()),
                high=float(prediction.max()),
            )
        )
    return ExpectedLosses(metrics=tuple(found))


def estimated_rise(
    expected: Expected, prediction: Floats, unit: Integers, score: float, labelled: float
) -> Rise | None:
    """The rise of one metric by the predictions of a span alone.

    Parameters
    ----------
    expected : Expected
    prediction : (n,) float64 array
        Of the span's rows, as ``prediction_of`` gives it.
    unit : (n,) int array
        Which rows depend on each other.
    score : float
        The champion's recorded score on its holdout.
    labelled : float
        Share of the span's rows that have a label, though not enough.

    Returns
    -------
    Rise or None
        None where a prediction is not finite. Its lower bound is by the normal approximation.
    """
    formula = by_mean_loss(expected.metric)
    if formula is None or not len(prediction) or not np.isfinite(prediction).all():
        return None
    rows, loss = np.array(expected.rows, dtype=float), np.array(expected.loss)
    spread = np.array(expected.spread)
    place = np.searchsorted(np.array(expected.edges), prediction, side="right")
    here = np.bincount(place, minlength=len(rows)) / len(place)
    there = rows / rows.sum()
    before, after = float(there @ loss), float(here @ loss)
    # What is unsure: each bin's mean loss, as far as it weighs more here than there, and the
    # shares of the bins on either side.
    bins = float(((here - there) ** 2 * spread**2 / np.maximum(rows, 1)).sum())
    shares = clustered_variance(loss[place], unit)
    shares += float(there @ (loss - before) ** 2) / rows.sum()
    slope = float(abs(formula(np.array([after + 1e-9])) - formula(np.array([after])))[0] / 1e-9)
    sign = -METRICS[expected.metric].sign
    change = float((formula(np.array([after])) - formula(np.array([before])))[0])
    worse = sign * change
    beyond = float(((prediction < expected.low) | (prediction > expected.high)).mean())
    method = f"expected loss by prediction, {len(rows)} bins of the champion's holdout"
    if beyond >= 0.005:
        method += f"; {percent(beyond)} of the predictions lie outside what it held"
    return Rise(
        metric=expected.metric,
        reference=score,
        current=score + change,
        worse=worse,
        low=worse - ONE_SIDED_95 * slope * float(np.sqrt(bins + shares)),
        rows=len(prediction),
        labelled=labelled,
        estimated=True,
        method=method,
    )
