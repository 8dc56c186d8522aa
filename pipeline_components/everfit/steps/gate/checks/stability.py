"""Predictions where an input is missing or a little off."""

from __future__ import annotations

import math
from collections.abc import Iterator

from everfit.contracts.errors import shortlist
from everfit.contracts.messages.evidence import Disturbed
from everfit.contracts.messages.verdicts import Severity
from everfit.contracts.spec.gate import StabilitySpec
from everfit.contracts.spec.metrics import metric_title, metric_unit
from everfit.contracts.wording import apart, count, percent, sentence, setting
from everfit.steps.gate.check import GateCheck
from everfit.steps.gate.evidence.evidence import Evidence
from everfit.steps.gate.finding import Finding

MISSING = "Predictions with a missing input"
NOISE = "Score with noisy inputs"


def assess(evidence: Evidence) -> Iterator[Finding]:
    """Features missing one at a time, then noise on all numbers."""
    found = evidence.request.evaluated.disturbed
    yield _missing(evidence, [one for one in found if one.kind == "missing"])
    yield _noise(evidence, [one for one in found if one.kind == "noise"])


def _missing(evidence: Evidence, found: list[Disturbed]) -> Finding:
    features = [c.name for c in evidence.request.prepared.columns if c.role == "feature"]
    if not found:
        return Finding("not_assessed", "Evaluate tried no missing input.", title=MISSING)
    unknown = [one.what for one in found if one.what not in features]
    if unknown:
        message = f"Evaluate left out {shortlist(unknown)}, which is no feature."
        return Finding("not_assessed", message, title=MISSING)
    bad = [f"{one.what} ({one.trouble})" for one in found if one.trouble]
    tried = count(len(found), "feature")
    if len(found) < len(features):
        tried = f"the {len(found)} most important of {len(features):,} features"
    if bad:
        return Finding(
            "failed",
            f"Predictions without the input are not finite for {len(bad)} of {tried}: "
            f"{shortlist(bad)}.",
            forces="reject",
            flip="Finite predictions where these are missing: an input that does not arrive in "
            "production must not stop the prediction",
            title=MISSING,
            values={"features": len(found), "failed": len(bad)},
        )
    return Finding(
        "passed",
        f"The predictions are finite where any one of {tried} is missing, on {found[0].rows:,} "
        "holdout rows.",
        title=MISSING,
        values={"features": len(found)},
    )


def _noise(evidence: Evidence, found: list[Disturbed]) -> Finding:
    request = evidence.request
    severity: Severity = "error" if request.gate.stability else "warning"
    asked = request.gate.stability or StabilitySpec()
    numeric = [
        c
        for c in request.prepared.columns
        if c.role == "feature" and c.type in ("integer", "float")
    ]
    if not numeric:
        return Finding("not_applicable", "No feature is numeric.", title=NOISE)
    if len(found) != 1:
        return Finding("not_assessed", "Evaluate added no noise.", title=NOISE)
    (one,) = found
    noise = (
        f"With noise of {percent(asked.noise)} of the standard deviation on "
        f"{count(len(numeric), 'numeric feature')}"
    )
    if one.trouble:
        return Finding(
            "failed",
            f"{noise} the predictions are not finite: {one.trouble}.",
            forces="reject",
            flip="Finite predictions with noisy inputs",
            title=NOISE,
        )
    name, unit = metric_title(request.metric), metric_unit(request.metric, request.unit)
    if one.before is None or one.after is None or one.worse is None:
        return Finding(
            "not_assessed",
            sentence(f"{name} is undefined on the {one.rows:,} rows that noise was added to"),
            title=NOISE,
            severity=severity,
        )
    allowed = asked.worse_by.of(one.before)
    worse = not (math.isfinite(one.worse) and one.worse <= allowed)
    before, after = apart(one.before, one.after, unit=unit)
    loss, limit = apart(one.worse, allowed, unit=unit)
    return Finding(
        "failed" if worse else "passed",
        f"{noise}, {name} goes from {before} to {after} on {one.rows:,} holdout rows; worse by at "
        f"most {setting(allowed, unit)} is allowed.",
        forces="reject",
        flip=f"{name} worse by at most {limit} instead of {loss}" if worse else None,
        title=NOISE,
        values={"before": one.before, "after": one.after, "worse": one.worse, "allowed": allowed},
        severity=severity,
    )


CHECK = GateCheck(
    code="STABILITY",
    title="Robustness to disturbed inputs",
    severity="error",
    position=150,
    assess=assess,
)
