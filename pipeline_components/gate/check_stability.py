"""Whether the candidate stands small changes of its inputs, and inputs that do not come."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pipeline_components.contracts.errors import shortlist
from pipeline_components.contracts.evidence import Disturbed
from pipeline_components.contracts.gate_spec import StabilitySpec
from pipeline_components.contracts.verdicts import Severity
from pipeline_components.report.page import number, short

from .evidence import Evidence
from .question import Finding

MISSING = "Answers where an input is missing"
NOISE = "Hardly worse where inputs are a little off"


def stability(evidence: Evidence) -> Iterator[Finding]:
    """Features missing one at a time, then noise on all numbers."""
    found = evidence.request.evaluated.disturbed
    noise = [one for one in found if one.kind == "noise"]
    missing = [one for one in found if one.kind == "missing"]
    yield _missing(evidence, missing)
    yield _noise(evidence, noise)


def _missing(evidence: Evidence, found: list[Disturbed]) -> Finding:
    features = [c.name for c in evidence.request.prepared.columns if c.role == "feature"]
    if not found:
        return Finding("not_assessed", "No input was taken away.", title=MISSING)
    strange = [one.what for one in found if one.what not in features]
    if strange:
        message = f"Taken away was {shortlist(strange)}, which is no feature."
        return Finding("not_assessed", message, title=MISSING)
    bad = [f"{one.what} ({one.trouble})" for one in found if one.trouble]
    tried = f"{len(found)} features"
    if len(found) < len(features):
        tried = f"the {len(found)} most important of {len(features):,} features"
    if bad:
        return Finding(
            "failed",
            f"Where an input is missing it gives no finite prediction for {len(bad)} of {tried}: "
            f"{shortlist(bad)}.",
            forces="reject",
            flip="Finite predictions where these are missing: an input that may be absent in "
            "serving must not stop the answer",
            title=MISSING,
            values={"features": len(found), "failed": len(bad)},
        )
    return Finding(
        "passed",
        f"Its predictions are finite where any one of {tried} is missing, on {found[0].rows:,} "
        "holdout rows.",
        title=MISSING,
        values={"features": len(found)},
    )


def _noise(evidence: Evidence, found: list[Disturbed]) -> Finding:
    request = evidence.request
    severity: Severity = "error" if request.gate.stability else "warning"
    asked = request.gate.stability or StabilitySpec()
    percent = f"{100 * asked.noise:g} %"
    numbers = [
        c
        for c in request.prepared.columns
        if c.role == "feature" and c.type in ("integer", "float")
    ]
    if not numbers:
        return Finding("not_applicable", "No feature is a number.", title=NOISE)
    if len(found) != 1:
        return Finding("not_assessed", "No noise was added to the numbers.", title=NOISE)
    (one,) = found
    if one.trouble:
        return Finding(
            "failed",
            f"With noise of {percent} of their own standard deviation on {len(numbers)} numbers "
            f"it gives no finite prediction: {one.trouble}.",
            forces="reject",
            flip="Finite predictions of inputs that are a little off",
            title=NOISE,
        )
    if one.before is None or one.after is None or one.worse is None:
        return Finding(
            "not_assessed",
            f"{request.metric} is not defined on the {one.rows:,} rows that noise was added to.",
            title=NOISE,
            severity=severity,
        )
    margin = asked.worse_by
    allowed = margin.value * abs(one.before) if margin.relative else margin.value
    worse = not (math.isfinite(one.worse) and one.worse <= allowed)
    return Finding(
        "failed" if worse else "passed",
        f"With noise of {percent} of their own standard deviation on {len(numbers)} "
        f"{'number' if len(numbers) == 1 else 'numbers'}, {request.metric} goes from "
        f"{number(one.before)} to {number(one.after)} on {one.rows:,} holdout rows; worse by "
        f"{short(allowed)} is allowed.",
        forces="reject",
        flip=f"{request.metric} worse by at most {short(allowed)} instead of {short(one.worse)}"
        if worse
        else None,
        title=NOISE,
        values={"before": one.before, "after": one.after, "worse": one.worse, "allowed": allowed},
        severity=severity,
    )
