"""Predictions of models and dummies for a holdout, in the holdout's own classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from everfit.contracts.base import canonical_json
from everfit.contracts.errors import Unavailable, UserError, shortlist, told
from everfit.contracts.spec.metrics import Task
from everfit.ml.model import class_texts, predict_scores
from everfit.ml.scoring.medians import weighted_median
from everfit.ml.scoring.resampling import Floats, Integers

if TYPE_CHECKING:
    import pandas as pd


def codes(values: Any, classes: Sequence[str]) -> Integers:
    """Position of each value among ``classes``, by its text; -1 for a class that is none of them.

    Parameters
    ----------
    values : (n,) array or Series
        Target values in their own type; none missing.

    Returns
    -------
    (n,) int64 array
    """
    import pandas as pd

    position, kinds = pd.factorize(values)
    place = {name: number for number, name in enumerate(classes)}
    texts = class_texts(np.asarray(kinds)) if len(kinds) else ()
    named = [place.get(str(text), -1) for text in texts]
    return np.array([*named, -1], dtype=np.int64)[position]  # the last one: where missing


def positive_class(positive: str | int | float | bool | None, classes: Sequence[str]) -> int:
    """The class whose probability is scored: the one named, else the larger value.

    Raises
    ------
    UserError
        If the class named is not in the data.
    """
    if positive is None:
        return len(classes) - 1
    wanted = {str(text) for text in class_texts(np.array([positive]))}
    if isinstance(positive, bool):
        wanted.add(str(int(positive)))
    for number, name in enumerate(classes):
        if name in wanted:
            return number
    raise UserError(
        "EVALUATE-POSITIVE",
        "target.positive",
        "it must be one of the target's two classes",
        f"{positive!r} is none of {shortlist(classes)}",
        "Correct it in the pipeline's YAML",
    )


def predictions(
    model: Any, frame: pd.DataFrame, task: Task, classes: Sequence[str] | None
) -> Floats:
    """A model's predictions, with probabilities in the order of ``classes``.

    Parameters
    ----------
    model : sklearn.pipeline.Pipeline
        Fitted; raw feature frame in.
    frame : DataFrame of n rows
        Raw columns, those the model was trained on among them.
    task : str
        ``regression``, ``binary`` or ``multiclass``.
    classes : sequence of k str or None
        Names of the holdout's classes; None for a regression.

    Returns
    -------
    (n,) or (n, k) float64 array
        A class the model was never shown has probability 0; what the model gives to classes that
        are gone is left out.
    """
    if not len(frame):
        return np.zeros(0) if classes is None else np.zeros((0, len(classes)))
    needed = getattr(model, "feature_names_in_", None)
    raw = frame if needed is None else frame[list(needed)]
    scores = np.asarray(predict_scores(model, raw, task), dtype=np.float64)
    if classes is None:
        return scores
    aligned = np.zeros((len(scores), len(classes)))
    for column, code in enumerate(codes(model.classes_, classes)):
        if code >= 0:
            aligned[:, code] = scores[:, column]
    return aligned


def predictions_json(scores: Floats) -> bytes:
    """Predictions as JSON: a list of numbers, or of lists of class probabilities.

    Numbers are written so that they read back to the same bits; one that is not finite is null.
    """
    values: Any = scores.astype(object)
    values[~np.isfinite(scores)] = None
    return canonical_json(values.tolist())


def columns_missing(model: Any, frame: pd.DataFrame) -> list[str]:
    """Columns the model was fitted on that the table no longer has."""
    needed = getattr(model, "feature_names_in_", ())
    return sorted(str(name) for name in needed if name not in frame.columns)


def champion_predictions(
    load: Any, frame: pd.DataFrame, task: Task, classes: Sequence[str] | None
) -> tuple[Floats | None, str | None]:
    """A champion's predictions, or a sentence saying why it cannot be scored.

    A champion that does not fit today's table is a finding for the gate, not a crash: the gate
    fails closed on it. Only a store that may come back is an error.

    Parameters
    ----------
    load : callable
        Without arguments; returns the model.
    frame, task, classes
        As for ``predictions``.

    Returns
    -------
    predictions : (n,) or (n, k) float64 array, or None
    trouble : str or None
        Set where the predictions are None.

    Raises
    ------
    Unavailable
        If the store could not be read.
    """
    try:
        model = load()
        missing = columns_missing(model, frame)
        if missing:
            return None, f"its column {shortlist(missing)} is not in the holdout"
        return predictions(model, frame, task, classes), None
    except (Unavailable, MemoryError):
        raise
    except UserError as error:  # without its place, which differs between machines
        return None, f"{error.code}: {error.must}" + (f"; {error.found}" if error.found else "")
    except Exception as error:  # any model may fail in any way on a table it was not made for
        return None, told(error)


def dummy_predictions(
    name: str,
    target: Any,
    rows: int,
    classes: Sequence[str] | None,
    weights: Floats | None = None,
) -> Floats:
    """Predictions of the declared dummy, learnt from the training target.

    Parameters
    ----------
    name : str
        ``mean`` or ``median``; ``prior`` (class frequencies) or ``most_frequent`` (certain of the
        commonest class, the first where two are as common).
    target : (m,) array
        Training target: numbers, or class codes.
    rows : int
        Rows to predict, ``n``.
    classes : sequence of k str or None
    weights : (m,) array, optional
        How much each training row counts.

    Returns
    -------
    (n,) or (n, k) float64 array
        The same for every row.

    Examples
    --------
    >>> dummy_predictions("median", [1.0, 2.0, 9.0], 2, None)
    array([2., 2.])
    >>> dummy_predictions("prior", np.array([0, 0, 0, 1]), 1, ["no", "yes"])
    array([[0.75, 0.25]])
    """
    if classes is None:
        if weights is None:
            value = np.mean(target) if name == "mean" else np.median(target)
        elif name == "mean":
            value = np.average(target, weights=weights)
        else:
            value = weighted_median(target, weights)
        return np.full(rows, float(value))
    known = target >= 0
    of_known = None if weights is None else weights[known]
    counts = np.bincount(target[known], of_known, minlength=len(classes))
    share = counts / (counts.sum() or 1)
    if name == "most_frequent":
        share = np.eye(len(classes))[int(counts.argmax())]
    return np.tile(share, (rows, 1))
