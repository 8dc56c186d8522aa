"""The published model loads and predicts in a clean process."""

from __future__ import annotations

from everfit.contracts.wording import count
from everfit.steps.gate.check import GateCheck
from everfit.steps.gate.evidence.evidence import Evidence, known
from everfit.steps.gate.finding import Finding


def assess(evidence: Evidence) -> Finding:
    """A clean process loads the published bytes and predicts every row of the sample."""
    served = known(evidence.served)
    if not served.rows:
        return Finding("failed", served.reason, forces="reject")
    model = evidence.request.evaluated.candidate.model.digest
    return Finding(
        "passed",
        f"A clean process loaded model {model[:12]} and predicted {count(served.rows, 'row')}.",
        values={"rows": served.rows},
    )


CHECK = GateCheck(
    code="SERVABLE",
    title="Loads and predicts in a clean process",
    severity="error",
    position=110,
    assess=assess,
    must_pass=True,
)
