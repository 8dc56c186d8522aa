"""Size of the published model file."""

from __future__ import annotations

from everfit.contracts.wording import amount, apart, setting
from everfit.steps.gate.check import GateCheck
from everfit.steps.gate.evidence.evidence import Evidence
from everfit.steps.gate.finding import Finding


def assess(evidence: Evidence) -> Finding:
    """Its bytes against ``gate.max_size_mb``."""
    limit = evidence.request.gate.max_size_mb
    megabytes = evidence.request.evaluated.candidate.model.size / 1e6
    if limit is None:
        return Finding("not_applicable", "The gate declares no max_size_mb.")
    large = megabytes > limit
    size = apart(megabytes, limit, unit="MB")[0] if large else amount(megabytes, "MB")
    return Finding(
        "failed" if large else "passed",
        f"The model file is {size}; at most {setting(limit, 'MB')} is allowed.",
        forces="reject",
        flip=f"A model file of at most {setting(limit, 'MB')} instead of {size}" if large else None,
        values={"megabytes": megabytes, "limit": limit},
    )


CHECK = GateCheck(
    code="SIZE",
    title="Model size",
    severity="error",
    position=140,
    assess=assess,
)
