"""The identity of the rules a span was judged by."""

from __future__ import annotations

from everfit.contracts.base import Digest, digest_of
from everfit.contracts.spec.pipeline import PipelineSpec


def rules_digest(spec: PipelineSpec) -> Digest:
    """sha-256 of what validate judges by; a changed rule has quarantined spans judged anew."""
    return digest_of(
        {
            "validation": spec.validation.model_dump(mode="json"),
            "curated": spec.curated.model_dump(mode="json") if spec.curated else None,
            "task": spec.task,
            "target": spec.target.model_dump(mode="json"),
            "time": spec.time,
            "entity": spec.entity,
            "key": spec.key,
            "features": spec.features.model_dump(mode="json", include={"drop", "derive"}),
            "slices": [part.where for part in spec.slices],
        }
    )
