"""Spans judged from what is known of them, read from the store or from their tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.spans import Span
from everfit.contracts.messages.statistics import SpanStatistics
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.engine.context import Context
from everfit.ml.profiles.cache import statistics_of_spans
from everfit.steps.validate.deliveries import Deliveries
from everfit.steps.validate.judge import Judgement, Shown, judge
from everfit.steps.validate.targets_cache import targets_of_spans


class Judged(NamedTuple):
    """Of each span, in order."""

    statistics: tuple[SpanStatistics, ...]
    artifacts: tuple[Artifact, ...]
    """Where the statistics are stored."""
    judgements: tuple[Judgement, ...]


def judge_spans(
    context: Context,
    spec: PipelineSpec,
    spans: Sequence[Span],
    shown: Shown,
) -> Judged:
    """Statistics and judgement of spans of one source, oldest first."""
    deliveries = Deliveries(context, spec)
    statistics, artifacts = statistics_of_spans(context, spans, deliveries.tapping)
    targets = targets_of_spans(context, spans, statistics, spec)
    delivered = deliveries.of_spans(spans, statistics)
    return Judged(
        statistics,
        artifacts,
        judge(spans, statistics, targets, delivered, spec, shown),
    )
