"""Whether probabilities mean what they say."""

from __future__ import annotations

import math

from pipeline_components.report.page import number

from .evidence import Evidence, NotAssessed
from .question import Finding


def calibration(evidence: Evidence) -> Finding:
    """The expected calibration error by its point estimate, the interval beside it.

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
        raise NotAssessed("the calibration error is no finite number")
    told = (
        f"The expected calibration error on {error.rows:,} rows is {number(error.value)} "
        f"({number(error.low)} to {number(error.high)}"
        f"{f'; the baseline has {number(baseline.value)}' if baseline else ''}; perfect "
        f"probabilities would show about {number(found.by_chance)})"
    )
    values: dict[str, float | int | str | None] = {
        "value": error.value, "low": error.low, "high": error.high,
        "baseline": baseline.value if baseline else None, "by_chance": found.by_chance,
        "limit": limit,
    }  # fmt: skip
    if limit is None:
        return Finding(
            "not_applicable", f"{told}; no limit is declared.", severity="info", values=values
        )
    passed = error.value <= limit
    return Finding(
        "passed" if passed else "failed",
        f"{told}; at most {limit:g} is required.",
        forces="reject" if error.low > limit else "hold",
        flip=None
        if passed
        else f"An expected calibration error of at most {limit:g} instead of {number(error.value)}",
        values=values,
    )
