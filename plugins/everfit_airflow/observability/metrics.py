"""Numbers for whoever watches many pipelines: through Airflow's own metrics, wherever those go.

StatsD, DogStatsD or OpenTelemetry, as ``[metrics]`` says; nowhere by default. A plain StatsD server
takes no tags, so there the pipeline and the component stand in the name, as with Airflow's own.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Literal, NamedTuple

from everfit.contracts.messages.steps import Component, Outcome
from everfit.contracts.messages.summaries import (
    EvaluateSummary,
    ExtractSummary,
    GateSummary,
    MonitorSummary,
    TrainSummary,
)
from everfit.contracts.spec.pipeline import PipelineSpec

log = logging.getLogger(__name__)

State = Literal["done", "skipped", "failed"]
Kind = Literal["timing", "count", "gauge"]

CODE = re.compile(r"[A-Z][A-Z0-9]*(-[A-Z0-9]+)*(?=[ :])")
"""How an error's line begins; see ``contracts.errors``."""

FLUSH_MS = 2000
"""How long a task waits for an OpenTelemetry collector to take its numbers."""


class Metric(NamedTuple):
    """One number."""

    name: str
    kind: Kind
    value: float
    detail: tuple[str, str] | None = None
    """A further tag: name and value."""


def send_metrics(
    component: Component,
    spec: PipelineSpec,
    outcome: Outcome | None,
    seconds: float,
    queue_seconds: float | None,
    state: State,
    line: str = "",
) -> None:
    """Send how a component ended to Airflow's metrics; whatever goes wrong here fails no task.

    Parameters
    ----------
    outcome : Outcome or None
        None where it left none.
    seconds : float
        From the component's start to its end.
    queue_seconds : float or None
        From the task's start to the component's: what its container waited for.
    state : str
        ``done``, ``skipped`` (nothing to do) or ``failed``.
    line : str
        The last line of a component that failed, which begins with the error's code.
    """
    try:
        metrics = measured(outcome, seconds, queue_seconds, state, line)
        _emit(metrics, {"pipeline": spec.name, "component": component})
    except Exception:  # a task that did its work is not failed for a number
        log.debug("No metrics of %s were sent.", component, exc_info=True)


def measured(
    outcome: Outcome | None,
    seconds: float,
    queue_seconds: float | None,
    state: State,
    line: str = "",
) -> Iterator[Metric]:
    """The numbers of one component's work."""
    yield Metric("everfit.component.ended", "count", 1, ("state", state))
    yield Metric("everfit.component.duration", "timing", seconds)
    if queue_seconds is not None:
        yield Metric("everfit.component.queued", "timing", queue_seconds)
    if state == "failed":
        code = CODE.match(line)
        yield Metric("everfit.component.failed", "count", 1, ("code", code[0] if code else "NONE"))
    if outcome is None:
        return
    if outcome.cached:
        yield Metric("everfit.component.cache_hit", "count", 1)
    match outcome.summary:
        case (ExtractSummary() | TrainSummary() | EvaluateSummary()) as counted:
            yield Metric("everfit.component.rows", "gauge", float(counted.rows))
        case GateSummary() as gate if not outcome.cached:
            yield Metric("everfit.verdict", "count", 1, ("verdict", gate.verdict))
        case MonitorSummary() as monitored:
            yield from _drift(monitored)


def _drift(summary: MonitorSummary) -> Iterator[Metric]:
    """The newest span against the champion's window: drift scores and loss."""
    yield Metric("everfit.drift.score", "gauge", summary.inputs)
    yield Metric("everfit.drift.columns", "gauge", len(summary.drifted))
    for rise in summary.rises:
        # An estimate and what was measured later are two series.
        name = rise.metric if rise.source == "measured" else f"{rise.metric}_{rise.source}"
        yield Metric("everfit.champion.worse", "gauge", rise.worse, ("metric", name))


def _emit(metrics: Iterator[Metric], tags: dict[str, str]) -> None:
    from airflow.sdk.configuration import conf
    from airflow.sdk.observability import stats

    untagged = (
        conf.getboolean("metrics", "statsd_on", fallback=False)
        and not conf.getboolean("metrics", "statsd_datadog_enabled", fallback=False)
        and not conf.getboolean("metrics", "statsd_influxdb_enabled", fallback=False)
    )
    for metric in metrics:
        every = {**tags, **dict([metric.detail] if metric.detail else [])}
        name = metric.name
        if untagged:
            name = ".".join((name, *(_part(value) for value in every.values())))
            every = {}
        if metric.kind == "timing":
            stats.timing(name, timedelta(seconds=metric.value), tags=every)
        elif metric.kind == "count":
            stats.incr(name, int(metric.value), tags=every)
        else:
            stats.gauge(name, metric.value, tags=every)
    if conf.getboolean("metrics", "otel_on", fallback=False):
        _flush()


def _part(value: str) -> str:
    """A value as a part of a name, where dots divide."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", value)


def _flush() -> None:
    """A task's process ends without a last export of its own."""
    from opentelemetry import metrics

    flush = getattr(metrics.get_meter_provider(), "force_flush", None)
    if flush is not None:
        flush(timeout_millis=FLUSH_MS)
