"""Latency of single predictions in the clean process."""

from __future__ import annotations

from everfit.contracts.wording import amount, apart, setting
from everfit.steps.gate.check import GateCheck
from everfit.steps.gate.evidence.evidence import Evidence, known
from everfit.steps.gate.finding import Finding, NotAssessed


def assess(evidence: Evidence) -> Finding:
    """The 95th percentile against ``gate.max_latency_ms``; the one figure that a clock measures."""
    limit = evidence.request.gate.max_latency_ms
    if limit is None:
        return Finding("not_applicable", "The gate declares no max_latency_ms.")
    served = known(evidence.served)
    if served.p50_ms is None or served.p95_ms is None:
        raise NotAssessed("the clean process measured no latency")
    slow = not served.p95_ms <= limit
    p95 = apart(served.p95_ms, limit, unit="ms")[0] if slow else amount(served.p95_ms, "ms")
    return Finding(
        "failed" if slow else "passed",
        f"The 95th percentile of predictions of one row is {p95}, the median "
        f"{amount(served.p50_ms, 'ms')}; at most {setting(limit, 'ms')} is allowed.",
        forces="reject",
        flip=f"A 95th percentile of at most {setting(limit, 'ms')} instead of {p95}"
        if slow
        else None,
        values={"p50_ms": served.p50_ms, "p95_ms": served.p95_ms, "limit": limit},
    )


CHECK = GateCheck(
    code="LATENCY",
    title="Latency",
    severity="error",
    position=130,
    assess=assess,
    needs=("SERVABLE",),
)
