"""Whether the candidate is surely worse, by more than is allowed, on a slice declared or found."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pipeline_components.contracts.evidence import SliceScore
from pipeline_components.contracts.requests import GateRequest
from pipeline_components.report.page import number, short
from pipeline_components.scoring.holm import holm

from .evidence import Evidence, NotAssessed
from .question import Finding


def slices(evidence: Evidence) -> Iterator[Finding]:
    """One finding per slice, and one for the search for slices that nobody declared.

    Of all slices together, at most one judgement in ``1 / (1 - confidence)`` finds one worse that
    is not (Holm's correction). A slice that is too small is not assessed, and stands in no
    promotion's way: a warning.
    """
    request = evidence.request
    found = request.evaluated.slices
    if not found and not request.gate.find_slices:
        yield Finding("not_applicable", "The pipeline declares no slices, and looks for none.")
    assessed = [one for one in found if one.p_value is not None]
    adjusted = iter(holm([_p_value(one) for one in assessed]))
    for one in found:
        if one.p_value is None:
            yield _unassessed(one)
        else:
            yield _judged(request, one, next(adjusted), len(assessed))
    if request.gate.find_slices:
        yield _search(request)


def _p_value(one: SliceScore) -> float:
    value = one.p_value
    if value is None or not 0 <= value <= 1:
        raise NotAssessed(f"the p-value of slice {one.name} is no chance: {value}")
    return value


def _judged(request: GateRequest, one: SliceScore, adjusted: float, among: int) -> Finding:
    candidate, baseline, gain, allowed = one.candidate, one.baseline, one.gain, one.allowed
    if candidate is None or baseline is None or gain is None or allowed is None:
        raise NotAssessed(f"slice {one.name} has a p-value, but no scores")
    numbers = (candidate.value, baseline.value, gain.value, gain.low, gain.high, allowed)
    if not all(map(math.isfinite, numbers)) or allowed < 0:
        raise NotAssessed(f"slice {one.name} holds what is no finite number")
    worse = adjusted < 1 - request.gate.confidence
    verdict = "surely worse" if worse else "not surely worse"
    by = f"by more than the allowed {short(allowed)}" if allowed else "at all"
    others = f", corrected for {among:,} slices" if among > 1 else ""
    return Finding(
        "failed" if worse else "passed",
        f"{request.metric} on {one.rows:,} rows is {number(candidate.value)} against "
        f"{number(baseline.value)}: {verdict} {by} (gain {short(gain.value)}, "
        f"{short(gain.low)} to {short(gain.high)}; p = {short(adjusted)}{others}).",
        forces="reject",
        flip=f"On the rows where {one.where or one.name}, a gain of {short(-allowed)} "
        f"or more in {request.metric} instead of {short(gain.value)}"
        if worse
        else None,
        title=_title(one),
        values={
            "rows": one.rows, "where": one.where, "candidate": candidate.value,
            "baseline": baseline.value, "gain": gain.value, "low": gain.low, "high": gain.high,
            "allowed": allowed, "p_value": one.p_value, "p_adjusted": adjusted,
        },
    )  # fmt: skip


def _unassessed(one: SliceScore) -> Finding:
    if not one.why:
        raise NotAssessed(f"slice {one.name} was not assessed, and nothing says why")
    return Finding(
        "not_assessed",
        f"{one.why[:1].upper()}{one.why[1:]}.",
        title=_title(one),
        severity="warning",
        values={"rows": one.rows, "where": one.where},
    )


def _search(request: GateRequest) -> Finding:
    search, title = request.evaluated.search, "Slices that nobody declared"
    if search is None:
        return Finding("not_assessed", "Evaluate did not look for slices.", title=title)
    if search.why:
        return Finding(
            "not_assessed", f"Not looked for: {search.why}.", title=title, severity="warning"
        )
    found = sum(one.kind == "found" for one in request.evaluated.slices)
    if found != search.worse:
        return Finding(
            "not_assessed",
            f"The search speaks of {search.worse:,} slices, but {found:,} are published.",
            title=title,
        )
    looked = f"A tree of {search.leaves:,} leaves on {search.fitted:,} holdout rows"
    values: dict[str, float | int | str | None] = {
        "fitted": search.fitted, "tested": search.tested, "leaves": search.leaves, "found": found,
    }  # fmt: skip
    if not found:
        told = f"{looked} shows none on which the candidate is worse than allowed."
    else:
        these = f"{found:,} slices that look" if found > 1 else "1 slice that looks"
        told = f"{looked} shows {these} worse; judged above on {search.tested:,} other rows."
    return Finding("passed", told, title=title, values=values)


def _title(one: SliceScore) -> str:
    return f"Slice found: {one.where}" if one.kind == "found" else f"Slice: {one.name}"
