"""A model's answers beside the truth, in one shape for every task, and the loss of each row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline_components.contracts.metrics import Task

from .resampling import Floats, Integers

SMALLEST = float(np.finfo(np.float64).eps)
"""Probabilities are kept this far from 0 and 1 in a log loss, as in scikit-learn."""

ROW_LOSS = {
    "mae": "absolute error",
    "median_ae": "absolute error",
    "rmse": "squared error",
    "r2": "squared error",
    "brier": "squared error of the probability",
    "log_loss": "log loss",
    "roc_auc": "log loss",
    "average_precision": "log loss",
    "accuracy": "error (0 or 1)",
    "balanced_accuracy": "error (0 or 1)",
    "f1": "error (0 or 1)",
    "f1_macro": "error (0 or 1)",
}
"""metric → the loss of one row that goes with it; its mean where the metric is such a mean."""


@dataclass(frozen=True)
class Scored:
    """Answers beside the truth.

    Attributes
    ----------
    task : str
    truth : (n,) array
        Target values (float64), or class codes ``0 … k - 1`` (int64).
    scores : (n,) or (n, k) float64 array
        Predictions, or probabilities of the classes.
    positive : int
        Binary: the class whose probability is scored.
    """

    task: Task
    truth: Floats | Integers
    scores: Floats
    positive: int = 1

    @classmethod
    def of(cls, task: Task, truth: Floats | Integers, scores: Floats, positive: int = 1) -> Scored:
        """Like the constructor; rows of a class no model knows (code -1) get a class of their own.

        Nobody gives that class any probability, so such rows are wrong, as they should be.
        """
        if task != "regression" and (truth < 0).any():
            scores = np.column_stack([scores, np.zeros(len(scores))])
            truth = np.where(truth < 0, scores.shape[1] - 1, truth)
        return cls(task, truth, scores, positive)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.truth)

    @property
    def strange(self) -> int:
        """Rows whose answer holds a NaN or an infinity."""
        fine = np.isfinite(self.scores)
        return int((~(fine if fine.ndim == 1 else fine.all(axis=1))).sum())

    @property
    def chosen(self) -> Integers:
        """The most probable class of each row; the first where two are equal. Shape (n,)."""
        return np.asarray(self.scores.argmax(axis=1), dtype=np.int64)

    @property
    def probability(self) -> Floats:
        """Binary: probability of the positive class. Shape (n,)."""
        probability: Floats = self.scores[:, self.positive]
        return probability

    @property
    def is_positive(self) -> NDArray[np.bool_]:
        """Binary: rows of the positive class. Shape (n,)."""
        return np.asarray(self.truth == self.positive)

    def part(self, mask: NDArray[np.bool_] | Integers) -> Scored:
        """The same for a subset of rows."""
        return Scored(self.task, self.truth[mask], self.scores[mask], self.positive)


def row_losses(metric: str, scored: Scored) -> Floats:
    """The loss of each row that goes with a metric, as ``ROW_LOSS`` names it; less is better.

    Returns
    -------
    (n,) float64 array
        Its mean is the metric where ``METRICS[metric].row_loss`` (one minus it for accuracy).
    """
    loss = ROW_LOSS[metric]
    if loss == "absolute error":
        return np.asarray(np.abs(scored.scores - scored.truth), dtype=np.float64)
    if loss == "squared error":
        return np.asarray((scored.scores - scored.truth) ** 2, dtype=np.float64)
    if loss == "squared error of the probability":
        return np.asarray((scored.probability - scored.is_positive) ** 2, dtype=np.float64)
    if loss == "log loss":
        mine = scored.scores[np.arange(scored.rows), scored.truth.astype(np.int64)]
        return np.asarray(-np.log(np.clip(mine, SMALLEST, 1 - SMALLEST)), dtype=np.float64)
    return np.asarray(scored.chosen != scored.truth, dtype=np.float64)
