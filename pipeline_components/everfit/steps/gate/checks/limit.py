"""Absolute limits of the candidate's scores."""

from __future__ import annotations

import math
from collections.abc import Iterator

from everfit.contracts.messages.verdicts import Estimate
from everfit.contracts.spec.gate import Limit
from everfit.contracts.spec.metrics import metric_title, metric_unit
from everfit.contracts.wording import amount, apart, interval, listed, sentence, setting
from everfit.steps.gate.check import GateCheck
from everfit.steps.gate.evidence.evidence import Evidence
from everfit.steps.gate.finding import Finding


def assess(evidence: Evidence) -> Iterator[Finding]:
    """Compare each limit with the point estimate; the interval is shown beside it."""
    request = evidence.request
    if not request.gate.limits:
        yield Finding("not_applicable", "The gate declares no absolute limits.")
    scores = request.evaluated.scores.get("candidate", {})
    for metric, limit in sorted(request.gate.limits.items()):
        unit = metric_unit(metric, request.unit)
        title = f"Limit: {metric_title(metric)} {_bounds(limit, unit)}"
        found = scores.get(metric)
        if found is None or not math.isfinite(found.value):
            message = f"The candidate has no finite {metric_title(metric)}."
            yield Finding("not_assessed", message, title=title)
        else:
            yield _compared(metric, limit, found, title, unit)


def _compared(metric: str, limit: Limit, found: Estimate, title: str, unit: str | None) -> Finding:
    low_enough = limit.max is None or found.value <= limit.max
    high_enough = limit.min is None or found.value >= limit.min
    passed = low_enough and high_enough
    bound = limit.max if not low_enough else limit.min
    score = amount(found.value, unit) if passed else apart(found.value, bound, unit=unit)[0]
    name, word = metric_title(metric), "at least" if low_enough else "at most"
    return Finding(
        "passed" if passed else "failed",
        sentence(
            f"{name} is {score} ({interval(found.low, found.high, unit)}); "
            f"{_bounds(limit, unit)} is required"
        ),
        forces="reject",
        flip=None
        if passed
        else f"A score of {word} {setting(bound, unit)} in {name} instead of {score}",
        title=title,
        values={
            "metric": metric,
            "value": found.value,
            "low": found.low,
            "high": found.high,
            "min": limit.min,
            "max": limit.max,
        },
    )


def _bounds(limit: Limit, unit: str | None) -> str:
    bounds = [
        f"{word} {setting(bound, unit)}"
        for word, bound in (("at least", limit.min), ("at most", limit.max))
        if bound is not None
    ]
    return listed(bounds) or "no bound"


CHECK = GateCheck(
    code="LIMIT",
    title="Absolute limits",
    severity="error",
    position=100,
    assess=assess,
    needs=("ROWS-ENOUGH",),
)
