"""The key of an evaluation of the champion on a span, and when the span's labels are due.

Watch looks up whether the evaluation is recorded already; monitor records it under that key.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from everfit.contracts.base import Digest, digest_of
from everfit.contracts.clock import moment
from everfit.contracts.messages.spans import Span
from everfit.contracts.spec.durations import duration
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.engine.fingerprints import value_digest

LOG_SLACK = timedelta(days=1)
"""A prediction is logged at most so long before or after its row's time."""


def evaluation_key(spec: PipelineSpec, labelled: bool, logs: Iterable[Span] = ()) -> Digest:
    """Digest of everything that an evaluation depends on, but for span and champion.

    Parameters
    ----------
    spec : PipelineSpec
    labelled : bool
        Whether the span's labels are due: an estimate is made anew once they are.
    logs : iterable of Span
        The logged predictions that may belong to the span.
    """
    rules = spec.validation.rows
    return digest_of(
        {
            **({"rules": dict(rules)} if rules else {}),
            **({"weight": spec.weight} if spec.weight else {}),
            "monitor": spec.monitor.model_dump(mode="json", exclude=_without(spec)),
            "metrics": measured_metrics(spec),
            "task": spec.task,
            "target": spec.target.model_dump(mode="json", exclude={"unit"}),
            "time": spec.time,
            "entity": spec.entity,
            "code": value_digest("monitor"),
            "labelled": labelled,
            "logs": sorted(log.digest for log in logs),
        }
    )


def _without(spec: PipelineSpec) -> set[str]:
    """Settings that are not made, and change nothing."""
    return {"across_pipelines"} if spec.monitor.across_pipelines is None else set()


def measured_metrics(spec: PipelineSpec) -> tuple[str, ...]:
    """The gate's metric and those that triggers ask for."""
    named = (name for one in spec.triggers.conditions() for name in one.metrics)
    return tuple(dict.fromkeys((spec.primary_metric, *named)))


def labels_due(spec: PipelineSpec, span: Span, first_seen: str, now: datetime) -> bool:
    """Whether ``monitor.labels_after`` has passed since the span's end.

    Parameters
    ----------
    spec : PipelineSpec
    span : Span
        Its end is that of its period, else its latest row.
    first_seen : str
        ISO time at which it was first read: its end where neither is known.
    now : datetime
    """
    if spec.monitor.labels_after is None:
        return True
    end = moment(span.period_end or span.time_max or first_seen)
    return end is None or now >= end + duration(spec.monitor.labels_after)


def logs_of(span: Span, logs: Iterable[Span]) -> tuple[Span, ...]:
    """Logs that may hold predictions of a span's rows: all but those of another time."""
    start, end = moment(span.time_min), moment(span.time_max)
    found = []
    for log in logs:
        first, last = moment(log.time_min), moment(log.time_max)
        known = start and end and first and last
        if not known or (first - LOG_SLACK <= end and start <= last + LOG_SLACK):  # type: ignore[operator]
            found.append(log)
    return tuple(found)
