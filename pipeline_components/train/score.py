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
    from sklearn import metrics

    if metric == "mae":
        return float(metrics.mean_absolute_error(truth, scores))
    if metric == "rmse":
        return float(metrics.root_mean_squared_error(truth, scores))
    if metric == "r2":
        return float(metrics.r2_score(truth, scores)) if len(truth) > 1 else float("nan")
    if metric == "median_ae":
        return float(metrics.median_absolute_error(truth, scores))
    labels = np.arange(scores.shape[1])
    if metric == "log_loss":
        return float(metrics.log_loss(truth, _normal(scores), labels=labels))
    if metric in ("roc_auc", "average_precision", "brier"):
        hit, chance = truth == positive, scores[:, positive]
        if metric == "brier":
            return float(np.mean((chance - hit) ** 2))
        if hit.all() or not hit.any():
            return float("nan")
        if metric == "roc_auc":
            return float(metrics.roc_auc_score(hit, chance))
        return float(metrics.average_precision_score(hit, chance))
    guess = scores.argmax(axis=1)
    if metric == "accuracy":
        return float(np.mean(guess == truth))
    if metric == "balanced_accuracy":
        return float(np.mean([np.mean(guess[truth == c] == c) for c in np.unique(truth)]))
    if metric == "f1":
        return float(metrics.f1_score(truth == positive, guess == positive, zero_division=0.0))
    if metric == "f1_macro":
        return float(
            metrics.f1_score(truth, guess, labels=labels, average="macro", zero_division=0.0)
        )
    raise ValueError(f"unknown metric {metric!r}")


def _normal(scores: Array) -> Array:
    """Probabilities that sum to one within a float64's rounding."""
    scores = np.clip(scores.astype(np.float64), 0.0, 1.0)
    normal: Array = scores / scores.sum(axis=1, keepdims=True)
    return normal
