"""Predictions as they were served, joined with the labels that have arrived since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from everfit.contracts.spec.metrics import METRICS, metrics_of
from everfit.contracts.spec.monitor import PredictionLog
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.data.tables.frames import read_table
from everfit.ml.model.class_names import class_texts
from everfit.ml.scoring.predictions import codes
from everfit.ml.scoring.resampling import Floats
from everfit.steps.monitor.read_rows import Rows

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Served:
    """Answers of the log to some rows of a span.

    Attributes
    ----------
    rows : (n,) bool array
        Rows of the span that have a label and a logged prediction.
    logged : int
        Rows of the span that have a logged prediction.
    scores : (m,) or (m, k) float64 array
        Answers to the rows that are true in ``rows``.
    metrics : tuple of str
        What such answers can be scored by.
    """

    rows: NDArray[np.bool_]
    logged: int
    scores: Floats
    metrics: tuple[str, ...]


def read_logs(paths: Sequence[Path], log: PredictionLog) -> pd.DataFrame:
    """Keys and predictions of every file; of several predictions for a key the last.

    The last is the latest by the log's time where it names one, else the last in the files' order.
    """
    import pandas as pd

    columns = [*log.key, log.prediction, *([log.time] if log.time else [])]
    columns = list(dict.fromkeys(columns))
    frames = [read_table(path, columns) for path in paths]
    frame = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
    if log.time:
        frame = frame.sort_values(log.time, kind="stable", na_position="first")
    keys = _texts(frame, log.key)
    frame = frame.assign(**keys)[[*keys, log.prediction]].dropna()
    return frame.drop_duplicates(list(keys), keep="last")


def served(
    rows: Rows,
    logs: pd.DataFrame,
    spec: PipelineSpec,
    classes: Sequence[str] | None,
    positive: int,
) -> Served | None:
    """Join the log with a span's rows.

    Returns
    -------
    Served or None
        None where the span lacks a key column, or no labelled row has a logged prediction.
    """
    log = spec.monitor.predictions
    assert log is not None
    if not set(log.key) <= set(rows.frame.columns):
        return None
    keys = _texts(rows.frame, log.key)
    mine = rows.frame[[]].assign(**keys)
    joined = mine.merge(logs, how="left", on=list(keys), validate="many_to_one")
    values = joined[log.prediction]
    there = values.notna().to_numpy()
    both = there & rows.labelled
    if not both.any():
        return None
    scores, metrics = _scores(values[both], spec, classes, positive)
    if scores is None:
        return None
    return Served(both, int(there.sum()), scores, metrics)


def _scores(
    values: Any, spec: PipelineSpec, classes: Sequence[str] | None, positive: int
) -> tuple[Floats | None, tuple[str, ...]]:
    import pandas as pd

    names = metrics_of(spec.task)
    if classes is None:
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan)
        return (numbers, names) if np.isfinite(numbers).all() else (None, ())
    if spec.task == "binary" and pd.api.types.is_float_dtype(values.dtype):
        numbers = values.to_numpy(np.float64)
        whole = np.isin(numbers, (0.0, 1.0)).all()
        if not whole and (numbers >= 0).all() and (numbers <= 1).all():
            scores = np.empty((len(numbers), 2))
            scores[:, positive], scores[:, 1 - positive] = numbers, 1 - numbers
            return scores, names
    place = codes(values, classes)
    scores = np.zeros((len(place), len(classes) + int((place < 0).any())))
    scores[np.arange(len(place)), place] = 1.0  # -1, a class of nobody's, is the column added
    return scores, tuple(name for name in names if METRICS[name].reads == "class")


def _texts(frame: pd.DataFrame, columns: Sequence[str]) -> dict[str, Any]:
    """Key columns as text: an integer and a float that is whole are the same key."""
    import pandas as pd

    found: dict[str, Any] = {}
    for number, name in enumerate(columns):
        values = frame[name]
        there = values.notna()
        texts = pd.Series(None, index=frame.index, dtype="str")
        if there.any():
            texts[there] = class_texts(values[there])
        found[f"__key{number}"] = texts
    return found
