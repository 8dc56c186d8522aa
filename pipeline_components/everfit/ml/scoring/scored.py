"""A model's predictions beside the truth, in one shape for every task, and the loss of each row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from everfit.contracts.spec.metrics import METRICS, Task
from everfit.ml.scoring.resampling import Floats, Integers

if TYPE_CHECKING:
    from everfit.contracts.spec.metric import Array, Arrays, Column, Rows


@dataclass(frozen=True)
class Scored:
    """Predictions beside the truth.

    Attributes
    ----------
    task : str
    truth : (n,) array
        Target values (float64), or class codes ``0 … k - 1`` (int64).
    scores : (n,) or (n, k) float64 array
        Predictions, or probabilities of the classes.
    positive : int
        Binary: the class whose probability is scored.
    weight : (n,) float64 array or None
        How much each row counts, at least 0: only the ratios matter. None: all the same.
    """

    task: Task
    truth: Floats | Integers
    scores: Floats
    positive: int = 1
    weight: Floats | None = None

    @classmethod
    def of(
        cls,
        task: Task,
        truth: Floats | Integers,
        scores: Floats,
        positive: int = 1,
        weight: Floats | None = None,
    ) -> Scored:
        """Like the constructor; rows of a class no model knows get a class of their own.

        No model gives that class any probability, so such rows are wrong, as they should be.

        Parameters
        ----------
        task : str
        truth : (n,) array
            Target values, or class codes; -1 for a class no model knows.
        scores : (n,) or (n, k) float64 array
            Predictions, or probabilities of the classes.
        positive : int
            Binary: the class whose probability is scored.
        weight : (n,) float64 array, optional
            How much each row counts.
        """
        if task != "regression" and (truth < 0).any():
            scores = np.column_stack([scores, np.zeros(len(scores))])
            truth = np.where(truth < 0, scores.shape[1] - 1, truth)
        return cls(task, truth, scores, positive, weight)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.truth)

    @property
    def not_finite(self) -> int:
        """Rows whose prediction holds a NaN or an infinity."""
        fine = np.isfinite(self.scores)
        return int((~(fine if fine.ndim == 1 else fine.all(axis=1))).sum())

    @property
    def predicted_class(self) -> Integers:
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

    @property
    def prediction(self) -> Floats:
        """Regression: the predictions themselves. Shape (n,)."""
        return self.scores

    @property
    def true_class_probability(self) -> Floats:
        """Probability of each row's true class. Shape (n,)."""
        return np.asarray(self.scores[np.arange(self.rows), self.truth.astype(np.int64)])

    @property
    def is_correct(self) -> Floats:
        """1 where the most probable class is the true one, else 0. Shape (n,)."""
        return np.asarray(self.predicted_class == self.truth, dtype=np.float64)

    def part(self, mask: NDArray[np.bool_] | Integers) -> Scored:
        """The same for a subset of rows."""
        weight = None if self.weight is None else self.weight[mask]
        return Scored(self.task, self.truth[mask], self.scores[mask], self.positive, weight)

    def joined_by(
        self, truth: Floats | Integers, scores: Floats, weight: Floats | None = None
    ) -> Scored:
        """The same with more rows; those of a class that no model knows are left out.

        Parameters
        ----------
        truth : (m,) array
        scores : (m,) or (m, k) float64 array
        weight : (m,) float64 array, optional
            In the unit of these rows' own; needed where they have one.
        """
        if self.task != "regression":
            known = truth >= 0
            truth, scores = truth[known], scores[known]
            weight = None if weight is None else weight[known]
            scores = np.pad(scores, ((0, 0), (0, self.scores.shape[1] - scores.shape[1])))
        return Scored(
            self.task,
            np.concatenate([self.truth, truth]),
            np.concatenate([self.scores, scores]),
            self.positive,
            None
            if self.weight is None or weight is None
            else np.concatenate([self.weight, weight]),
        )


def values_of(column: Column, scored: Scored) -> Floats:
    """A metric's column on these rows. Shape (n,)."""
    return np.asarray(column(cast("Rows", scored), cast("Arrays", np)), dtype=np.float64)


def row_losses(metric: str, scored: Scored) -> Floats:
    """The loss of each row that goes with a metric; less is better.

    Parameters
    ----------
    metric : str
        One of ``METRICS``.
    scored : Scored
        n rows.

    Returns
    -------
    (n,) float64 array
        Its mean is the metric where ``METRICS[metric].mean_of_losses`` (one minus it for accuracy).

    Examples
    --------
    >>> row_losses("rmse", Scored("regression", np.array([1.0, 2.0]), np.array([1.0, 5.0])))
    array([0., 9.])
    """
    return values_of(METRICS[metric].row_loss.of, scored)


def by_mean_loss(metric: str) -> Callable[[Floats], Floats] | None:
    """A metric as a function of the mean of its row losses; None where it is no such function.

    Examples
    --------
    >>> by_mean_loss("rmse")(np.array([4.0, 9.0]))
    array([2., 3.])
    >>> by_mean_loss("roc_auc") is None
    True
    """
    formula = METRICS[metric].of_mean_loss
    if formula is None:
        return None
    return lambda mean: np.asarray(formula(cast("Array", mean), cast("Arrays", np)), np.float64)
