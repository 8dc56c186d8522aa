"""Which spans are good: each is judged alone, by the schema, and by the good spans before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pipeline_components.contracts.requests import Anomaly
from pipeline_components.contracts.spans import Span
from pipeline_components.contracts.spec import PipelineSpec
from pipeline_components.contracts.statistics import SpanStatistics
from pipeline_components.validate.check_history import check_history, past_of
from pipeline_components.validate.check_schema import check_schema
from pipeline_components.validate.check_span import check_span
from pipeline_components.validate.check_target import check_target
from pipeline_components.validate.findings import Findings
from pipeline_components.validate.target_profile import TargetProfile


class Judgement(NamedTuple):
    """Anomalies and verdict of one span."""

    anomalies: tuple[Anomaly, ...]
    good: bool


def judge(
    spans: Sequence[Span],
    statistics: Sequence[SpanStatistics],
    targets: Sequence[TargetProfile],
    spec: PipelineSpec,
) -> tuple[Judgement, ...]:
    """Judge spans of one source, oldest first.

    Parameters
    ----------
    spans, statistics, targets : sequence
        Of one length, in one order.

    Returns
    -------
    tuple of Judgement
        In the same order; a span with an error is not good.
    """
    judged: list[Judgement] = []
    seen: dict[str, str] = {}
    for index, (span, known, target) in enumerate(zip(spans, statistics, targets, strict=True)):
        findings = Findings(span.name, spec)
        if span.digest in seen:
            findings.add("DUPLICATE-SPAN", "error", f"its content is that of {seen[span.digest]!r}")
        seen.setdefault(span.digest, span.name)
        check_span(span, known, spec, findings)
        check_target(target, spec, findings)
        if spec.curated is not None:
            check_schema(known, spec.curated, findings)
        past = past_of(index, statistics, [judgement.good for judgement in judged])
        check_history(known, past, spec, findings)
        judged.append(Judgement(findings.anomalies, not findings.errors))
    return tuple(judged)
