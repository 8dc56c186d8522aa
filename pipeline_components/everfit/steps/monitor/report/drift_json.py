"""``drift.json``: what was measured, for other programs. Its keys are described in the docs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from everfit.contracts.base import canonical_json
from everfit.contracts.messages.monitoring import SpanEvaluation
from everfit.contracts.messages.planning import ChampionRef
from everfit.contracts.spec.pipeline import PipelineSpec

FORMAT = 1
"""Rises where a key goes or changes its meaning; new keys do not raise it."""


def drift_json(
    spec: PipelineSpec,
    champion: ChampionRef,
    evaluations: Sequence[SpanEvaluation],
    notes: Sequence[str],
) -> bytes:
    """The evaluations as canonical JSON."""
    monitor = spec.monitor
    return canonical_json(
        {
            "format": FORMAT,
            "pipeline": spec.name,
            "champion": {
                "version": champion.version,
                "run_key": champion.run_key,
                "window": list(champion.window),
            },
            "asked": {
                "level": monitor.level,
                "across_pipelines": monitor.across_pipelines,
                "decay_level": monitor.decay_level,
                "effect": monitor.effect,
                "until": monitor.off_below,
                "worse_by": monitor.worse_by.model_dump(mode="json"),
                "metric": spec.primary_metric,
            },
            "evaluations": [_evaluation(found, spec) for found in evaluations],
            "notes": list(notes),
        }
    )


def _evaluation(found: SpanEvaluation, spec: PipelineSpec) -> dict[str, Any]:
    document = found.model_dump(mode="json")
    for written, rise in zip(document["rises"], found.rises, strict=True):
        written["beyond"] = rise.beyond(spec.monitor.worse_by)
    return document | {"inputs": found.inputs, "any_column": found.any_column}
