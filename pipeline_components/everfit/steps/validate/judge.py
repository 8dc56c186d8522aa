"""Which spans are good: each is judged alone, by the schema, and by the good spans before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from everfit.contracts.messages.joined import Labelled
from everfit.contracts.messages.readings import BrokenRule, ColumnReading
from everfit.contracts.messages.requests import Anomaly
from everfit.contracts.messages.spans import RowTimes, Span
from everfit.contracts.messages.statistics import SpanStatistics
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.ml.profiles.delivery_sample import DeliverySample
from everfit.steps.validate.check_history import check_history, past_of
from everfit.steps.validate.check_labels import check_labels
from everfit.steps.validate.check_readings import check_distinct, check_readings
from everfit.steps.validate.check_rules import check_rules
from everfit.steps.validate.check_schema import check_schema
from everfit.steps.validate.check_span import check_span
from everfit.steps.validate.check_target import check_target
from everfit.steps.validate.check_times import check_order, check_times
from everfit.steps.validate.deliveries import check_delivery
from everfit.steps.validate.findings import Findings
from everfit.steps.validate.target_profile import TargetProfile


class Judgement(NamedTuple):
    """Anomalies and verdict of one span."""

    anomalies: tuple[Anomaly, ...]
    good: bool


class Shown(NamedTuple):
    """What reading the spans has shown: span → what, save for ``by_name``."""

    readings: Mapping[str, Sequence[ColumnReading]] = {}
    rules: Mapping[str, Sequence[BrokenRule]] = {}
    """Those that do not hold for all rows."""
    times: Mapping[str, RowTimes] = {}
    by_name: Sequence[str] = ()
    """The spans as their names order them, where their rows say another order."""
    labels: Mapping[str, Labelled] = {}


def judge(
    spans: Sequence[Span],
    statistics: Sequence[SpanStatistics],
    targets: Sequence[TargetProfile],
    deliveries: Sequence[DeliverySample],
    spec: PipelineSpec,
    shown: Shown | None = None,
) -> tuple[Judgement, ...]:
    """Judge spans of one source, oldest first.

    Parameters
    ----------
    spans, statistics, targets, deliveries : sequence
        Of one length, in one order.
    spec : PipelineSpec
    shown : Shown, optional
        What reading the spans has shown.

    Returns
    -------
    tuple of Judgement
        In the same order; a span with an error is not good.
    """
    shown = shown or Shown()
    judged: list[Judgement] = []
    seen: dict[str, str] = {}
    for index, (span, known, target) in enumerate(zip(spans, statistics, targets, strict=True)):
        findings = Findings(span.name, spec)
        good = [place for place, judgement in enumerate(judged) if judgement.good]
        if span.digest in seen:
            findings.add("DUPLICATE-SPAN", "error", f"its content is that of {seen[span.digest]!r}")
        else:
            before = [(spans[place].name, deliveries[place]) for place in good]
            check_delivery(deliveries[index], before, findings)
        seen.setdefault(span.digest, span.name)
        check_span(span, known, spec, findings)
        check_readings(shown.readings.get(span.name, ()), spec, findings)
        check_rules(shown.rules.get(span.name, ()), findings)
        check_times(shown.times.get(span.name), known.rows, spec, findings)
        check_order(span.name, shown.by_name, [one.name for one in spans], spec, findings)
        check_distinct(known, spec, findings)
        check_target(target, spec, findings)
        check_labels(shown.labels.get(span.name), spec, findings)
        if spec.curated is not None:
            check_schema(known, spec.curated, findings)
        past = past_of(index, statistics, [judgement.good for judgement in judged])
        check_history(known, past, spec, findings)
        judged.append(Judgement(findings.anomalies, not findings.errors))
    return tuple(judged)
