"""Logged predictions as a source like any other."""

from __future__ import annotations

from pipeline_components.contracts.monitor_spec import PredictionLog
from pipeline_components.contracts.spec import SourceSpec


def as_source(log: PredictionLog) -> SourceSpec:
    """The source that reads the log's files: their key, the prediction and the time alone."""
    columns = (*log.key, log.prediction, *((log.time,) if log.time else ()))
    return SourceSpec(uri=log.uri, format=log.format, columns=tuple(dict.fromkeys(columns)))
