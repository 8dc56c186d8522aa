"""The compiled function of a model, and the rows that it must predict as a frame of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from everfit.contracts.spec.metrics import Task
from everfit.operations.serving.row_path.encoding import compile_encoding
from everfit.operations.serving.row_path.estimators import compile_estimator
from everfit.operations.serving.row_path.functions import NotCompiled

MOST_ROWS = 32
"""Rows of a request up to which it is the faster one."""

CANARY_ROWS = 12
"""Rows that it must predict one by one to the same bits as the model on a frame."""

UNSEEN = "\N{REPLACEMENT CHARACTER} a text of no training"

Values = Mapping[str, Sequence[Any]]
Scores = Callable[[Values], Any]


def compile_rows(model: Any, task: Task) -> Scores:
    """A model as a function of the columns of values of a request.

    Parameters
    ----------
    model : sklearn.pipeline.Pipeline
        Fitted.
    task : str

    Returns
    -------
    callable
        Column → n values as ``read_records`` gives them, to (n,) predictions or (n, k)
        probabilities. It may raise ``NotCompiled`` for a row.

    Raises
    ------
    NotCompiled
        If a step of it is only computed on frames.
    """
    steps = [step for _, step in model.steps]
    encode = compile_encoding(steps[:-1])
    predict = compile_estimator(steps[-1], steps[-2], task)
    return lambda values: predict(encode(values))


def verified_rows(
    model: Any, task: Task, values: Values, columns: Mapping[str, str], by_frame: Scores
) -> Scores:
    """The compiled function, if it predicts canary rows to the same bits as the model.

    Parameters
    ----------
    model, task
        As for ``compile_rows``.
    values : mapping
        Column → values of known rows.
    columns : mapping
        Column → its type.
    by_frame : callable
        The model on a frame of the same values.

    Raises
    ------
    NotCompiled
        If one comes out different, or it cannot be compiled; it says why.
    """
    by_row = compile_rows(model, task)
    for canary in _canaries(values, columns):
        try:
            found, wanted = by_row(canary), by_frame(canary)
        except NotCompiled:
            raise
        except Exception as error:  # of any estimator
            raise NotCompiled(f"it fails for a known row: {type(error).__name__}") from error
        same = found.dtype == wanted.dtype and found.shape == wanted.shape
        if not same or found.tobytes() != wanted.tobytes():
            raise NotCompiled("known rows come out different")
    return by_row


def _canaries(values: Values, columns: Mapping[str, str]) -> list[Values]:
    """Single rows, then requests of several: whole ones, with each column missing or unseen."""
    rows = min((len(column) for column in values.values()), default=0)
    if rows == 0:
        raise NotCompiled("there is no known row to compare it on")
    picked = [rows * place // CANARY_ROWS for place in range(CANARY_ROWS)]
    found = [
        {name: [column[at]] for name, column in values.items()} for at in dict.fromkeys(picked)
    ]
    first = {name: column[0] for name, column in values.items()}
    changed: list[dict[str, Any]] = [first]
    for name, kind in columns.items():
        changed.append(first | {name: None})
        if kind == "string":
            changed.append(first | {name: UNSEEN})
    changed.append(dict.fromkeys(first))
    for start in range(0, len(changed), MOST_ROWS):
        block = changed[start : start + MOST_ROWS]
        found.append({name: [row[name] for row in block] for name in columns})
    return [*found, {name: list(column[:MOST_ROWS]) for name, column in values.items()}]
