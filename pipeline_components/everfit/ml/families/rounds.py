"""Boosting that stops: fitted until rows it does not learn from are predicted no better."""

from __future__ import annotations

from typing import Any

import numpy as np

GROWTH = 1.1
"""Rounds of the last fit over those that were best on folds: it has more rows to learn from."""


def fit_until_best(
    estimator: Any,
    matrix: Any,
    values: Any,
    held_matrix: Any,
    held_values: Any,
    *,
    weights: Any = None,
    held_weights: Any = None,
) -> int:
    """Fit, watching rows held out, and cut back to the round that predicted them best.

    Parameters
    ----------
    estimator : estimator
        Set to stop by itself; its ``fit`` takes ``X_val`` and ``y_val``.
    matrix, values : arrays of n rows
        What is learnt from.
    held_matrix, held_values : arrays of m rows
        What is watched.
    weights, held_weights : arrays of n and of m rows, optional
        How much each row counts, of both or of none.

    Returns
    -------
    int
        The rounds it is left with, at least one.

    Examples
    --------
    >>> from sklearn.ensemble import HistGradientBoostingRegressor
    >>> x = np.arange(200.0).reshape(-1, 1)
    >>> noise = np.random.default_rng(0).normal(size=200)
    >>> model = HistGradientBoostingRegressor(max_iter=300, early_stopping=True)
    >>> rounds = fit_until_best(model, x[::2], noise[::2], x[1::2], noise[1::2])
    >>> rounds < 50, rounds == model.n_iter_
    (True, True)
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    held = {"X_val": held_matrix, "y_val": held_values}
    if weights is not None:
        held |= {"sample_weight": weights, "sample_weight_val": held_weights}
    estimator.fit(matrix, values, **held)
    if isinstance(estimator, HistGradientBoostingClassifier | HistGradientBoostingRegressor):
        # It keeps the rounds that it waited in vain: a score would be that of an overfit.
        del estimator._predictors[max(1, int(np.argmax(estimator.validation_score_))) :]
    return int(estimator.n_iter_)


def rounds_for_all(found: list[int], by_time: bool) -> int:
    """Rounds of the fit on all rows.

    Parameters
    ----------
    found : list of int
        The best number of rounds of each fold, the last fold last.
    by_time : bool
        Whether the last fold is the newest and had the most rows to learn from.

    Examples
    --------
    >>> rounds_for_all([100, 200, 300], by_time=False)
    220
    >>> rounds_for_all([100, 200, 300], by_time=True)
    330
    """
    typical = found[-1] if by_time else sum(found) / len(found)
    return max(1, round(GROWTH * typical))
