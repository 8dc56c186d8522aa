"""Predictions with fixed threads: the same frame gives the same bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from everfit.contracts.spec.metrics import Task

if TYPE_CHECKING:
    import pandas as pd

BLOCK = 250_000
"""Rows predicted at a time, so that memory does not grow with the frame."""


def predict_scores(model: Any, frame: pd.DataFrame, task: Task) -> Any:
    """Predict with one thread.

    Parameters
    ----------
    model : sklearn.pipeline.Pipeline
        Fitted; raw feature frame in.
    frame : DataFrame of n rows
        The raw columns the model was trained on, in any order; others are ignored.
    task : str
        ``regression``, ``binary`` or ``multiclass``.

    Returns
    -------
    numpy array, float64
        Shape (n,) of predictions for a regression, in the target's unit; else (n, k) of class
        probabilities in the order of ``model.classes_``.
    """
    import numpy as np
    from threadpoolctl import threadpool_limits

    pin_jobs(model)
    ask = model.predict if task == "regression" else model.predict_proba
    with threadpool_limits(limits=1):
        parts = [
            np.asarray(ask(frame.iloc[start : start + BLOCK]), dtype=np.float64)
            for start in range(0, max(len(frame), 1), BLOCK)
        ]
    scores = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return scores.reshape(-1) if task == "regression" else scores


def pin_jobs(model: Any) -> None:
    """Set every ``n_jobs`` to 1: parallel trees are summed in whatever order they finish.

    Where it is None it means 1 already, and some estimators warn of being told so.
    """
    names = [
        name
        for name, value in model.get_params().items()
        if name.rpartition("__")[2] == "n_jobs" and value not in (None, 1)
    ]
    if names:
        model.set_params(**dict.fromkeys(names, 1))
