"""Largest gap of a metric between groups of rows."""

from __future__ import annotations

import math
from collections.abc import Iterator

from everfit.contracts.errors import shortlist
from everfit.contracts.messages.evidence import FairnessGap
from everfit.contracts.spec.gate import FairnessSpec
from everfit.contracts.spec.metrics import metric_title, metric_unit
from everfit.contracts.wording import amount, apart, interval, sentence, setting
from everfit.steps.gate.check import GateCheck
from everfit.steps.gate.evidence.evidence import Evidence
from everfit.steps.gate.finding import Finding


def assess(evidence: Evidence) -> Iterator[Finding]:
    """Compare each gap's point estimate with its limit; name the two groups it lies between.

    Above the limit: reject where the whole interval is, else hold.
    """
    request = evidence.request
    items, found = request.gate.fairness, request.evaluated.fairness
    if not items:
        yield Finding("not_applicable", "The gate declares no groups to compare.")
    for place, item in enumerate(items):
        title = f"Fairness: {metric_title(item.metric)} by {item.by}"
        gap = found[place] if place < len(found) else None
        if gap is None or (gap.by, gap.metric) != (item.by, item.metric):
            yield Finding("not_assessed", "Evaluate published no such gap.", title=title)
        elif gap.gap is None:
            why = gap.why or "evaluate gives no reason"
            yield Finding("not_assessed", sentence(why), title=title)
        else:
            yield _compared(item, gap, title, metric_unit(item.metric, request.unit))


def _compared(item: FairnessSpec, found: FairnessGap, title: str, unit: str | None) -> Finding:
    gap = found.gap
    ranked = sorted(
        ((one.value, one.group) for one in found.groups if one.value is not None),
        key=lambda pair: pair[0],
    )
    finite = gap is not None and all(map(math.isfinite, (gap.value, gap.low, gap.high)))
    if gap is None or not finite or len(ranked) < 2:
        return Finding("not_assessed", "The gap is not finite.", title=title)
    (lowest, low_group), (highest, high_group) = ranked[0], ranked[-1]
    if not abs(highest - lowest - gap.value) <= 1e-9 * max(1.0, abs(highest), abs(lowest)):
        message = "The gap is not the difference of its groups' scores."
        return Finding("not_assessed", message, title=title)
    small = [one.group for one in found.groups if one.value is None]
    left_out = f" Too small to compare: {shortlist(small)}." if small else ""
    passed = gap.value <= item.max_gap
    high, low = apart(highest, lowest, unit=unit)
    size = amount(gap.value, unit) if passed else apart(gap.value, item.max_gap, unit=unit)[0]
    most, name = setting(item.max_gap, unit), metric_title(item.metric)
    return Finding(
        "passed" if passed else "failed",
        sentence(
            f"{name} is {high} for {high_group} and {low} for {low_group}, a gap of {size} "
            f"({interval(gap.low, gap.high, unit)}) among {len(ranked):,} groups; at most {most} "
            f"is required.{left_out}"
        ),
        forces="reject" if gap.low > item.max_gap else "hold",
        flip=None
        if passed
        else f"A gap of {name} by {item.by} of at most {most} instead of {size}",
        title=title,
        values={
            "by": item.by,
            "metric": item.metric,
            "gap": gap.value,
            "low": gap.low,
            "high": gap.high,
            "max_gap": item.max_gap,
            "highest": high_group,
            "lowest": low_group,
            "groups": len(ranked),
            "not_assessed": len(small),
        },
    )


CHECK = GateCheck(
    code="FAIRNESS",
    title="Fairness",
    severity="error",
    position=190,
    assess=assess,
    needs=("ROWS-ENOUGH",),
)
