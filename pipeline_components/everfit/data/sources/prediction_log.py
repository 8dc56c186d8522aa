"""Logged predictions as a source like any other."""

from __future__ import annotations

from everfit.contracts.spec.monitor import PredictionLog
from everfit.contracts.spec.source import SourceSpec, read_source


def as_source(log: PredictionLog) -> SourceSpec:
    """The source that reads the log's files: their key, the prediction and the time alone."""
    columns = (*log.key, log.prediction, *((log.time,) if log.time else ()))
    return read_source(uri=log.uri, format=log.format, columns=tuple(dict.fromkeys(columns)))
