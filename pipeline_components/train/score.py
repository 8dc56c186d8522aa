"""The metric of a spec on a fold's predictions, in the metric's own direction."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def metric_score(metric: str, truth: Array, scores: Array, positive: int = 1) -> float:
    """Score predictions.

    Parameters
    ----------
    metric : str
        One of ``contracts.metrics.METRICS``.
    truth : array of shape (n,)
        Target values for a regression, else class codes 0 to k - 1.
    scores : array of shape (n,) or (n, k)
        Predictions, or probabilities by class code.
    positive : int
        Binary: the code of the class whose probability counts.

    Returns
    -------
    float
        As the metric defines it: an error where smaller is better, not its negative. NaN where it
        is not defined, such as an AUC of one class.
    """
    if scores.ndim == 1:
        return _of_numbers(metric, truth, scores)
    if metric in ("roc_auc", "average_precision", "brier"):
        return _of_chances(metric, truth == positive, scores[:, positive])
    return _of_classes(metric, truth, scores, positive)


def _of_numbers(metric: str, truth: Array, scores: Array) -> float:
    from sklearn import metrics

    if metric == "r2":
        return float(metrics.r2_score(truth, scores)) if len(truth) > 1 else float("nan")
    score = {
        "mae": metrics.mean_absolute_error,
        "rmse": metrics.root_mean_squared_error,
        "median_ae": metrics.median_absolute_error,
    }[metric]
    return float(score(truth, scores))


def _of_chances(metric: str, hit: Array, chance: Array) -> float:
    from sklearn import metrics

    if metric == "brier":
        return float(np.mean((chance - hit) ** 2))
    if hit.all() or not hit.any():
        return float("nan")
    if metric == "roc_auc":
        return float(metrics.roc_auc_score(hit, chance))
    return float(metrics.average_precision_score(hit, chance))


def _of_classes(metric: str, truth: Array, scores: Array, positive: int) -> float:
    from sklearn import metrics

    labels = np.arange(scores.shape[1])
    if metric == "log_loss":
        return float(metrics.log_loss(truth, _normal(scores), labels=labels))
    guess = scores.argmax(axis=1)
    if metric == "f1":
        return float(metrics.f1_score(truth == positive, guess == positive, zero_division=0.0))
    if metric == "f1_macro":
        return float(
            metrics.f1_score(truth, guess, labels=labels, average="macro", zero_division=0.0)
        )
    if metric == "accuracy":
        return float(np.mean(guess == truth))
    if metric == "balanced_accuracy":
        return float(np.mean([np.mean(guess[truth == c] == c) for c in np.unique(truth)]))
    raise KeyError(metric)


def _normal(scores: Array) -> Array:
    """Probabilities that sum to one within a float64's rounding."""
    scores = np.clip(scores.astype(np.float64), 0.0, 1.0)
    normal: Array = scores / scores.sum(axis=1, keepdims=True)
    return normal
