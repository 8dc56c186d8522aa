"""Target profiles of spans by way of the store: no span is read twice."""

from __future__ import annotations

from collections.abc import Sequence

from everfit.contracts.base import digest_of
from everfit.contracts.messages.spans import Span
from everfit.contracts.messages.statistics import SpanStatistics
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.engine.context import Context
from everfit.engine.fingerprints import value_digest
from everfit.ml.profiles.cache import keep_value, known_value, remove_copy
from everfit.steps.validate.target_profile import TargetProfile, profile_target


def targets_of_spans(
    context: Context,
    spans: Sequence[Span],
    statistics: Sequence[SpanStatistics],
    spec: PipelineSpec,
) -> tuple[TargetProfile, ...]:
    """The target of each span, read from the store where it is known."""
    asked = {
        "target": spec.target.model_dump(mode="json", exclude={"positive", "unit"}),
        "features": spec.shown_features.model_dump(mode="json", include={"drop", "derive"}),
        "time": spec.time,
        "code": value_digest("target_profiles"),
    }
    profiles = []
    for span, known in zip(spans, statistics, strict=True):
        key = digest_of({"span": span.digest, **asked})
        found = known_value(context, "targets", key, TargetProfile)
        if found is not None:
            profiles.append(found[0])
            continue
        path = context.store.local(span.digest, context.scratch)
        try:
            features = spec.shown_features
            profile = profile_target(path, spec.target, features, known.columns, spec.time)
        finally:
            remove_copy(path, context)
        keep_value(context, "targets", key, "target.json", profile)
        profiles.append(profile)
        context.progress.update("targets", len(profiles), len(spans))
    return tuple(profiles)
