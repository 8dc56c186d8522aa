"""Whether declared groups of rows are treated alike enough."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pipeline_components.contracts.errors import shortlist
from pipeline_components.contracts.evidence import FairnessGap
from pipeline_components.contracts.gate_spec import FairnessSpec
from pipeline_components.report.page import number

from .evidence import Evidence
from .question import Finding


def fairness(evidence: Evidence) -> Iterator[Finding]:
    """Each gap by its point estimate, with its interval and the two groups it lies between.

    Above the limit: reject where the whole interval is, else hold.
    """
    request = evidence.request
    items, found = request.gate.fairness, request.evaluated.fairness
    if not items:
        yield Finding("not_applicable", "The gate declares no groups to compare.")
    for place, item in enumerate(items):
        title = f"Fairness: {item.metric} by {item.by}"
        gap = found[place] if place < len(found) else None
        if gap is None or (gap.by, gap.metric) != (item.by, item.metric):
            yield Finding("not_assessed", "Evaluate published no such gap.", title=title)
        elif gap.gap is None:
            why = gap.why or "evaluate does not say why"
            yield Finding("not_assessed", f"{why[:1].upper()}{why[1:]}.", title=title)
        else:
            yield _judged(item, gap, title)


def _judged(item: FairnessSpec, found: FairnessGap, title: str) -> Finding:
    gap = found.gap
    ranked = sorted(
        ((one.value, one.group) for one in found.groups if one.value is not None),
        key=lambda pair: pair[0],
    )
    finite = gap is not None and all(map(math.isfinite, (gap.value, gap.low, gap.high)))
    if gap is None or not finite or len(ranked) < 2:
        return Finding("not_assessed", "The gap is no finite number.", title=title)
    (lowest, low_group), (highest, high_group) = ranked[0], ranked[-1]
    if not abs(highest - lowest - gap.value) <= 1e-9 * max(1.0, abs(highest), abs(lowest)):
        return Finding("not_assessed", "The gap is not that of its groups.", title=title)
    thin = [one.group for one in found.groups if one.value is None]
    left = f" Too small to compare: {shortlist(thin)}." if thin else ""
    passed = gap.value <= item.max_gap
    return Finding(
        "passed" if passed else "failed",
        f"{item.metric} is {number(highest)} for {high_group} and {number(lowest)} for "
        f"{low_group}, a gap of {number(gap.value)} ({number(gap.low)} to {number(gap.high)}) "
        f"among {len(ranked):,} groups; at most {item.max_gap:g} is required.{left}",
        forces="reject" if gap.low > item.max_gap else "hold",
        flip=None
        if passed
        else f"A gap in {item.metric} by {item.by} of at most {item.max_gap:g} instead of "
        f"{number(gap.value)}",
        title=title,
        values={
            "by": item.by, "metric": item.metric, "gap": gap.value, "low": gap.low,
            "high": gap.high, "max_gap": item.max_gap, "highest": high_group,
            "lowest": low_group, "groups": len(ranked), "not_assessed": len(thin),
        },
    )  # fmt: skip
