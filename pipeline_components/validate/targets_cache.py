"""Target profiles of spans by way of the store: no span is read twice."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline_components.context import Context
from pipeline_components.contracts.base import digest_of
from pipeline_components.contracts.spans import Span
from pipeline_components.contracts.spec import PipelineSpec
from pipeline_components.contracts.statistics import SpanStatistics
from pipeline_components.statistics.cache import (
    STATISTICS_CODE,
    code_of,
    keep_value,
    known_value,
    let_go,
)
from pipeline_components.store import result_key
from pipeline_components.validate.target_profile import TargetProfile, profile_target

_TARGET_CODE = (
    *STATISTICS_CODE, "validate/leaks.py", "validate/target_profile.py",
    "contracts/expression.py", "table/evaluate_expression.py", "table/frames.py",
)  # fmt: skip


def targets_of_spans(
    context: Context,
    spans: Sequence[Span],
    statistics: Sequence[SpanStatistics],
    spec: PipelineSpec,
) -> tuple[TargetProfile, ...]:
    """The target of each span, read from the store where it is known."""
    asked = {
        "target": spec.target.model_dump(mode="json", exclude={"positive"}),
        "features": spec.features.model_dump(mode="json", include={"drop", "derive"}),
        "time": spec.time,
        "code": code_of(_TARGET_CODE),
    }
    profiles = []
    for span, known in zip(spans, statistics, strict=True):
        where = result_key("targets", digest_of({"span": span.digest, **asked}))
        found = known_value(context, where, TargetProfile)
        if found is not None:
            profiles.append(found[0])
            continue
        path = context.store.local(span.digest, context.scratch)
        try:
            profile = profile_target(path, spec.target, spec.features, known.columns, spec.time)
        finally:
            let_go(path, context)
        keep_value(context, where, "target.json", profile)
        profiles.append(profile)
        context.progress.update("targets", len(profiles), len(spans))
    return tuple(profiles)
