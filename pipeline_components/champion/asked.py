"""What is asked when a span is held against the champion, and when its labels are due.

Watch looks up whether it was answered already, monitor records the answer under it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from pipeline_components.clock import moment
from pipeline_components.contracts.base import Digest, digest_of
from pipeline_components.contracts.durations import duration
from pipeline_components.contracts.spans import Span
from pipeline_components.contracts.spec import PipelineSpec
from pipeline_components.statistics.cache import code_of

_MEASURES = ("monitor", "scoring", "statistics", "table")
_SHOWS = ("door", "news", "page", "picture", "span_order")
"""In the names of files that show or record what the others measure."""

LOG_SLACK = timedelta(days=1)
"""A prediction is logged at most so long before or after its row's time."""


def asked(spec: PipelineSpec, ripe: bool, logs: Iterable[Span] = ()) -> Digest:
    """Digest of everything but span and champion that an evaluation depends on.

    Parameters
    ----------
    spec : PipelineSpec
    ripe : bool
        Whether the span's labels are due: an estimate is made anew once they are.
    logs : iterable of Span
        The logged predictions that may belong to the span.
    """
    return digest_of(
        {
            "monitor": spec.monitor.model_dump(mode="json"),
            "metrics": measured_metrics(spec),
            "task": spec.task,
            "target": spec.target.model_dump(mode="json"),
            "time": spec.time,
            "entity": spec.entity,
            "code": code_of(_measuring_code()),
            "ripe": ripe,
            "logs": sorted(log.digest for log in logs),
        }
    )


def measured_metrics(spec: PipelineSpec) -> tuple[str, ...]:
    """The gate's metric and those of the decay conditions."""
    named = (decay.metric for decay in spec.triggers.of_kind("decay"))
    return tuple(dict.fromkeys((spec.primary_metric, *(name for name in named if name))))


def labels_due(spec: PipelineSpec, span: Span, first_seen: str, now: datetime) -> bool:
    """Whether ``monitor.labels_after`` has passed since the span's end.

    Its end is that of its period, else its latest row, else when it was first read.
    """
    if spec.monitor.labels_after is None:
        return True
    end = moment(span.period_end or span.time_max or first_seen)
    return end is None or now >= end + duration(spec.monitor.labels_after)


def belonging(span: Span, logs: Iterable[Span]) -> tuple[Span, ...]:
    """The logs that may hold predictions of a span's rows: all but those of another time."""
    start, end = moment(span.time_min), moment(span.time_max)
    found = []
    for log in logs:
        first, last = moment(log.time_min), moment(log.time_max)
        known = start and end and first and last
        if not known or (first - LOG_SLACK <= end and start <= last + LOG_SLACK):  # type: ignore[operator]
            found.append(log)
    return tuple(found)


@cache
def _measuring_code() -> tuple[str, ...]:
    here = Path(__file__).parent.parent
    return tuple(
        path.relative_to(here).as_posix()
        for folder in _MEASURES
        for path in sorted((here / folder).glob("*.py"))
        if not any(word in path.stem for word in _SHOWS)
    )
