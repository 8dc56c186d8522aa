"""Serving: it loads and answers, answers as published, soon enough, and is no giant."""

from __future__ import annotations

from .evidence import Evidence, NotAssessed, known
from .question import Finding


def servable(evidence: Evidence) -> Finding:
    """A clean process loads the published bytes and answers every row of the sample."""
    served = known(evidence.served)
    if not served.rows:
        return Finding("failed", served.reason, forces="reject")
    model = evidence.request.evaluated.candidate.model.digest
    return Finding(
        "passed",
        f"A clean process loaded model {model[:12]} and predicted all {served.rows:,} sample rows.",
        values={"rows": served.rows},
    )


def serves_equal(evidence: Evidence) -> Finding:
    """From raw rows it predicts there, to the last bit, what evaluate published."""
    served = known(evidence.served)
    if served.same:
        return Finding("passed", served.reason, values={"rows": served.rows})
    return Finding("failed", served.reason, forces="reject", values={"rows": served.rows})


def latency(evidence: Evidence) -> Finding:
    """Predictions of one row, timed in the clean process; the one figure a clock gives."""
    limit = evidence.request.gate.max_latency_ms
    if limit is None:
        return Finding("not_applicable", "The gate declares no max_latency_ms.")
    served = known(evidence.served)
    if served.p50_ms is None or served.p95_ms is None:
        raise NotAssessed("the clean process took no times")
    slow = not served.p95_ms <= limit
    return Finding(
        "failed" if slow else "passed",
        f"95 of 100 predictions of one row took at most {served.p95_ms:.3g} ms, half of them at "
        f"most {served.p50_ms:.3g} ms; {limit:g} ms are allowed.",
        forces="reject",
        flip=f"95 of 100 predictions within {limit:g} ms" if slow else None,
        values={"p50_ms": served.p50_ms, "p95_ms": served.p95_ms, "limit": limit},
    )


def size(evidence: Evidence) -> Finding:
    """Bytes of the published model file."""
    limit = evidence.request.gate.max_size_mb
    megabytes = evidence.request.evaluated.candidate.model.size / 1e6
    if limit is None:
        return Finding("not_applicable", "The gate declares no max_size_mb.")
    large = megabytes > limit
    return Finding(
        "failed" if large else "passed",
        f"The model file has {megabytes:.3g} MB; {limit:g} MB are allowed.",
        forces="reject",
        flip=f"A model file of at most {limit:g} MB" if large else None,
        values={"megabytes": megabytes, "limit": limit},
    )
