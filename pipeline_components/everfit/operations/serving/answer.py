"""From the body of a request to the document that answers it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from everfit.operations.serving.loaded import LoadedVersion
from everfit.operations.serving.row_path.compiled import MOST_ROWS
from everfit.operations.serving.row_path.functions import NotCompiled
from everfit.operations.serving.rows import Problem, as_frame, parse_json, read_records
from everfit.operations.serving.tensors import others, read_tensors, requested, tensors


@dataclass(frozen=True)
class Answer:
    """What a request comes to.

    Attributes
    ----------
    document : dict
        The JSON of the answer.
    loaded : LoadedVersion
        The version that answered.
    values : mapping
        Column that the model reads → its n values; None where missing.
    given : callable
        Any other column of the request → its n values as they came; None where missing.
    scores : (n,) or (n, k) float64 array
    missing, unseen : mapping
        Column → values that were missing, or a text that training never saw.
    seconds : float
        That the prediction took.
    """

    document: dict[str, Any]
    loaded: LoadedVersion
    values: Mapping[str, Sequence[Any]] = field(repr=False)
    given: Callable[[str], Sequence[Any]] = field(repr=False)
    scores: Any = field(repr=False)
    missing: Mapping[str, int]
    unseen: Mapping[str, int]
    seconds: float


def answer_records(
    loaded: LoadedVersion,
    body: bytes,
    request_id: str,
    most_rows: int,
    by_frame: bool = True,
) -> Answer:
    """Answer a list of records.

    Parameters
    ----------
    loaded : LoadedVersion
    body : bytes
    request_id : str
    most_rows : int
        That a request may have.
    by_frame : bool
        Whether the rows may go through a frame, which takes a hundred times as long.

    Raises
    ------
    Problem
        If the body, a row or a field cannot be used.
    NotCompiled
        If they must go through a frame, and may not.
    """
    records = parse_json(body)
    values = read_records(records, loaded.columns, most_rows)
    scores, seconds = _predict(loaded, values, by_frame)
    document = {
        "pipeline": loaded.pipeline,
        "version": loaded.version,
        "request_id": request_id,
        "predictions": _predictions(loaded, scores),
    }

    def given(name: str) -> list[Any]:
        return [record.get(name) for record in records]

    return _answer(loaded, values, document, given, scores, seconds)


def answer_tensors(
    loaded: LoadedVersion,
    body: bytes,
    request_id: str,
    most_rows: int,
    by_frame: bool = True,
) -> Answer:
    """Answer named tensors, as the Open Inference Protocol has them.

    Parameters
    ----------
    loaded : LoadedVersion
    body : bytes
    request_id : str
    most_rows : int
    by_frame : bool
        As for ``answer_records``.

    Raises
    ------
    Problem
        If the body, a tensor or a value cannot be used.
    NotCompiled
        If the rows must go through a frame, and may not.
    """
    request = parse_json(body)
    values = read_tensors(request, loaded.columns, most_rows)
    wanted = requested(request)
    scores, seconds = _predict(loaded, values, by_frame)
    document = {
        "model_name": loaded.pipeline,
        "model_version": str(loaded.version),
        "id": request["id"] if isinstance(request.get("id"), str) else request_id,
        "outputs": tensors(loaded, scores, wanted),
    }

    def given(name: str) -> list[Any]:
        return others(request, name, len(scores))

    return _answer(loaded, values, document, given, scores, seconds)


def _predict(
    loaded: LoadedVersion, values: Mapping[str, Sequence[Any]], by_frame: bool
) -> tuple[Any, float]:
    import numpy as np

    began = time.perf_counter()
    scores = None
    if loaded.by_row is not None and len(next(iter(values.values()))) <= MOST_ROWS:
        with suppress(NotCompiled):
            scores = loaded.by_row(values)
    if scores is None:
        if not by_frame:
            raise NotCompiled("too many rows, or one of an unusual kind")
        scores = loaded.scores(as_frame(values, loaded.columns))
    if not np.isfinite(scores).all():
        raise Problem(500, "NOT-FINITE", "The model gave a prediction that is not a finite number.")
    return scores, time.perf_counter() - began


def _predictions(loaded: LoadedVersion, scores: Any) -> list[Any]:
    """Numbers; of classes, the most probable one and the probability of each."""
    if not loaded.classes:
        found: list[Any] = scores.tolist()
        return found
    chosen = scores.argmax(axis=1).tolist()
    return [
        {
            "class": loaded.classes[best],
            "probabilities": dict(zip(loaded.classes, row, strict=True)),
        }
        for best, row in zip(chosen, scores.tolist(), strict=True)
    ]


def _answer(
    loaded: LoadedVersion,
    values: Mapping[str, Sequence[Any]],
    document: dict[str, Any],
    given: Callable[[str], Sequence[Any]],
    scores: Any,
    seconds: float,
) -> Answer:
    missing = {name: n for name, column in values.items() if (n := column.count(None))}
    unseen = {
        name: n
        for name, texts in loaded.known.items()
        if (n := sum(v is not None and v not in texts for v in values.get(name, ())))
    }
    return Answer(document, loaded, values, given, scores, missing, unseen, seconds)
