"""Which spans are good: each is judged alone, by the schema, and by the good spans before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from everfit.contracts.messages.readings import BrokenRule, ColumnReading
from everfit.contracts.messages.requests import Anomaly
from everfit.contracts.messages.spans import Span
from everfit.contracts.messages.statistics import SpanStatistics
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.ml.profiles.delivery_sample import DeliverySample
from everfit.steps.validate.check_history import check_history, past_of
from everfit.steps.validate.check_readings import check_distinct, check_readings
from everfit.steps.validate.check_rules import check_rules
from everfit.steps.validate.check_schema import check_schema
from everfit.steps.validate.check_span import check_span
from everfit.steps.validate.check_target import check_target
from everfit.steps.validate.deliveries import check_delivery
from everfit.steps.validate.findings import Findings
from everfit.steps.validate.target_profile import TargetProfile


class Judgement(NamedTuple):
    """Anomalies and verdict of one span."""

    anomalies: tuple[Anomaly, ...]
    good: bool


def judge(
    spans: Sequence[Span],
    statistics: Sequence[SpanStatistics],
    targets: Sequence[TargetProfile],
    deliveries: Sequence[DeliverySample],
    spec: PipelineSpec,
    readings: Mapping[str, Sequence[ColumnReading]] | None = None,
    rules: Mapping[str, Sequence[BrokenRule]] | None = None,
) -> tuple[Judgement, ...]:
    """Judge spans of one source, oldest first.

    Parameters
    ----------
    spans, statistics, targets, deliveries : sequence
        Of one length, in one order.
    spec : PipelineSpec
    readings : mapping, optional
        Span → what reading it has shown of its columns.
    rules : mapping, optional
        Span → rules that do not hold for all of its rows.

    Returns
    -------
    tuple of Judgement
        In the same order; a span with an error is not good.
    """
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
        check_readings((readings or {}).get(span.name, ()), spec, findings)
        check_rules((rules or {}).get(span.name, ()), findings)
        check_distinct(known, spec, findings)
        check_target(target, spec, findings)
        if spec.curated is not None:
            check_schema(known, spec.curated, findings)
        past = past_of(index, statistics, [judgement.good for judgement in judged])
        check_history(known, past, spec, findings)
        judged.append(Judgement(findings.anomalies, not findings.errors))
    return tuple(judged)
