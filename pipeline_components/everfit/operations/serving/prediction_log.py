"""Predictions as they were served, in files that ``everfit monitor`` reads as they are."""

from __future__ import annotations

import io
import secrets
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from everfit.contracts.clock import now
from everfit.contracts.errors import EverfitError, UserError
from everfit.contracts.settings import Settings
from everfit.contracts.spec.load import find_spec, load_spec
from everfit.contracts.spec.monitor import PredictionLog
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.operations.serving.answer import Answer
from everfit.operations.serving.metrics import Metrics
from everfit.storage.store import open_store

SECONDS = 60.0
"""After which what is waiting becomes a file."""

FILE_ROWS = 10_000
"""Rows after which it does so earlier."""

MOST_ROWS = 200_000
"""Rows that wait while the place does not answer; older ones are given up for newer ones."""


@dataclass(frozen=True)
class _Waiting:
    answer: Answer
    at: datetime


class PredictionFiles:
    """Collects answers and writes them as small closed Parquet files, each in one atomic step.

    A file is ``<place>/<pipeline>/<UTC time>-<random>.parquet`` and holds what the pipeline's
    ``monitor.predictions`` names: its key columns, the prediction and, where it names one, the
    time. A row without a key is not written.

    Parameters
    ----------
    place : str
        A folder, ``file://`` or ``s3://bucket/prefix``.
    names : sequence of str
        Pipelines.
    settings : Settings
    metrics : Metrics
    say : callable
        Told a line where the place does not answer, once.

    Raises
    ------
    UserError
        If a pipeline's YAML does not say how its log is read.
    """

    def __init__(
        self,
        place: str,
        names: Sequence[str],
        settings: Settings,
        metrics: Metrics,
        say: Callable[[str], None],
    ) -> None:
        self._store = open_store(place if "://" in place else Path(place).resolve().as_uri())
        self._specs = {name: _spec(name, settings) for name in names}
        self._metrics, self._say = metrics, say
        self._waiting: dict[str, deque[_Waiting]] = {name: deque() for name in names}
        self._rows = dict.fromkeys(names, 0)
        self._lock = threading.Lock()
        self._problem = ""
        self._due = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._write_on, name="prediction log", daemon=True)
        self._thread.start()

    def add(self, answer: Answer) -> None:
        """Have an answer written soon."""
        name = answer.loaded.pipeline
        with self._lock:
            waiting = self._waiting[name]
            waiting.append(_Waiting(answer, now()))
            self._rows[name] += len(answer.scores)
            while self._rows[name] > MOST_ROWS:
                gone = len(waiting.popleft().answer.scores)
                self._rows[name] -= gone
                self._metrics.logged(name, "dropped", gone)
            is_full = self._rows[name] >= FILE_ROWS
        if is_full:
            self._due.set()

    def end(self) -> None:
        """Write what is waiting, and stop."""
        self._ended = True
        self._due.set()
        self._thread.join(timeout=30)

    def _write_on(self) -> None:
        while not self._ended:
            self._due.wait(SECONDS)
            self._due.clear()
            self._write_all()
        self._write_all()

    def _write_all(self) -> None:
        for name in self._waiting:
            self._write(name)

    def _write(self, name: str) -> None:
        with self._lock:
            waiting, self._waiting[name] = self._waiting[name], deque()
            rows, self._rows[name] = self._rows[name], 0
        if not waiting:
            return
        spec, log = self._specs[name]
        try:
            written, data = _file(waiting, spec, log)
            if written:
                stamp = waiting[-1].at.strftime("%Y%m%dT%H%M%S")
                self._store.create(f"{name}/{stamp}-{secrets.token_hex(4)}.parquet", data)
            self._metrics.logged(name, "written", written)
            self._metrics.logged(name, "without_key", rows - written)
            self._problem = ""
        except Exception as error:
            line = error.line if isinstance(error, EverfitError) else type(error).__name__
            if line != self._problem:
                self._problem = line
                self._say(f"predictions are not logged: {line}")
            with self._lock:
                self._waiting[name].extendleft(reversed(waiting))
                self._rows[name] += rows


def _spec(name: str, settings: Settings) -> tuple[PipelineSpec, PredictionLog]:
    spec = load_spec(find_spec(settings.pipelines, name))
    if spec.monitor.predictions is None:
        raise UserError(
            "SERVE-LOG",
            name,
            "a log needs monitor.predictions in the pipeline's YAML: its key, prediction and time",
            "there is none",
            "Add it, or leave --log out",
        )
    return spec, spec.monitor.predictions


def _file(waiting: Sequence[_Waiting], spec: PipelineSpec, log: PredictionLog) -> tuple[int, bytes]:
    """Rows, and the bytes of the file that holds them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    keys: list[list[Any]] = [[] for _ in log.key]
    predictions: list[Any] = []
    times: list[datetime] = []
    for one in waiting:
        for column, name in zip(keys, log.key, strict=True):
            column.extend(_key(one.answer, name))
        predictions += _logged(one.answer, spec)
        times += [one.at.replace(tzinfo=None)] * len(one.answer.scores)
    kept = [row for row, key in enumerate(zip(*keys, strict=True)) if None not in key]
    columns = dict(zip(log.key, map(_of_one_type, keys), strict=True))
    columns[log.prediction] = predictions
    if log.time:
        columns.setdefault(log.time, times)
    table = pa.table({name: [values[row] for row in kept] for name, values in columns.items()})
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return len(kept), buffer.getvalue()


def _key(answer: Answer, name: str) -> list[Any]:
    """A key column: in its type where the model reads it, else as it came."""
    if name in answer.loaded.columns:
        return list(answer.values[name])
    known = (str, int, float)
    return [value if isinstance(value, known) else None for value in answer.given(name)]


def _of_one_type(values: list[Any]) -> list[Any]:
    """The values as text where they are of several types."""
    from everfit.ml.model.class_names import class_text

    if len({type(value) for value in values if value is not None}) < 2:
        return values
    return [None if value is None else class_text(value) for value in values]


def _logged(answer: Answer, spec: PipelineSpec) -> list[Any]:
    """A number, the probability of the positive class, or of several classes the most probable."""
    from everfit.ml.scoring.predictions import positive_class

    classes, scores = answer.loaded.classes, answer.scores
    found: list[Any]
    if not classes:
        found = scores.tolist()
    elif spec.task == "binary":
        found = scores[:, positive_class(spec.target.positive, classes)].tolist()
    else:
        found = [classes[best] for best in scores.argmax(axis=1).tolist()]
    return found
