"""A clean process predicts exactly what was evaluated."""

from __future__ import annotations

from everfit.steps.gate.check import GateCheck
from everfit.steps.gate.evidence.evidence import Evidence, known
from everfit.steps.gate.finding import Finding


def assess(evidence: Evidence) -> Finding:
    """From raw rows it predicts, to the last bit, what evaluate published."""
    served = known(evidence.served)
    return Finding(
        "passed" if served.same else "failed",
        served.reason,
        forces="reject",
        values={"rows": served.rows},
    )


CHECK = GateCheck(
    code="SERVE-EQUAL",
    title="Same predictions in a clean process",
    severity="error",
    position=120,
    assess=assess,
    needs=("SERVABLE",),
    must_pass=True,
)
