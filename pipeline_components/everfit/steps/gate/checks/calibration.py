"""Expected calibration error of the candidate's probabilities."""

from __future__ import annotations

import math

from everfit.contracts.wording import apart, interval, number, plain
from everfit.steps.gate.check import GateCheck
from everfit.steps.gate.evidence.evidence import Evidence
from everfit.steps.gate.finding import Finding, NotAssessed


def assess(evidence: Evidence) -> Finding:
    """Compare the point estimate with ``gate.calibration``; the interval is shown beside it.

    Above the limit: reject where the whole interval is, else hold.
    """
    request = evidence.request
    found, limit = request.evaluated.calibration, request.gate.calibration
    if request.task == "regression":
        return Finding("not_applicable", "A regression predicts no probabilities.")
    if found is None:
        if limit is None:
            return Finding("not_applicable", "The gate declares no limit of the calibration error.")
        raise NotAssessed("evaluate published no calibration error")
    error, baseline = found.candidate, found.baseline
    if not all(map(math.isfinite, (error.value, error.low, error.high))):
        raise NotAssessed("the calibration error is not finite")
    passed = limit is None or error.value <= limit
    score = number(error.value) if passed else apart(error.value, limit)[0]
    described = (
        f"The expected calibration error on {error.rows:,} rows is {score} "
        f"({interval(error.low, error.high)}"
        f"{f'; baseline {number(baseline.value)}' if baseline else ''}; perfectly calibrated "
        f"probabilities would show about {number(found.by_chance)})"
    )
    values: dict[str, float | int | str | None] = {
        "value": error.value,
        "low": error.low,
        "high": error.high,
        "baseline": baseline.value if baseline else None,
        "by_chance": found.by_chance,
        "limit": limit,
    }
    if limit is None:
        return Finding(
            "not_applicable", f"{described}; no limit is declared.", severity="info", values=values
        )
    return Finding(
        "passed" if passed else "failed",
        f"{described}; at most {plain(limit)} is required.",
        forces="reject" if error.low > limit else "hold",
        flip=None
        if passed
        else f"An expected calibration error of at most {plain(limit)} instead of {score}",
        values=values,
    )


CHECK = GateCheck(
    code="CALIBRATION",
    title="Calibration",
    severity="error",
    position=180,
    assess=assess,
    needs=("ROWS-ENOUGH",),
)
