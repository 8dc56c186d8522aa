"""The candidate is not significantly worse on any slice, declared or found."""

from __future__ import annotations

import math
from collections.abc import Iterator

from everfit.contracts.messages.evidence import SliceScore
from everfit.contracts.messages.requests import GateRequest
from everfit.contracts.spec.metrics import metric_title, metric_unit
from everfit.contracts.wording import amount, apart, count, interval, p_value, sentence, setting
from everfit.ml.scoring.holm import holm
from everfit.steps.gate.check import GateCheck
from everfit.steps.gate.evidence.evidence import Evidence
from everfit.steps.gate.finding import Finding, NotAssessed


def assess(evidence: Evidence) -> Iterator[Finding]:
    """One finding per slice, and one for the search for slices that nobody declared.

    Over all slices, at most a share of ``1 - confidence`` of judgements finds one worse that is
    not (Holm's correction). A slice that is too small is not assessed; that is a warning, which
    blocks no promotion.
    """
    request = evidence.request
    found = request.evaluated.slices
    if not found and not request.gate.find_slices:
        yield Finding("not_applicable", "The pipeline declares no slices and searches for none.")
    assessed = [one for one in found if one.p_value is not None]
    adjusted = iter(holm([_p_value(one) for one in assessed]))
    for one in found:
        if one.p_value is None:
            yield _unassessed(one)
        else:
            yield _compared(request, one, next(adjusted), len(assessed))
    if request.gate.find_slices:
        yield _search(request)


def _p_value(one: SliceScore) -> float:
    value = one.p_value
    if value is None or not 0 <= value <= 1:
        raise NotAssessed(f"the p-value of slice {one.name} must be from 0 to 1; it is {value}")
    return value


def _compared(request: GateRequest, one: SliceScore, adjusted: float, among: int) -> Finding:
    candidate, baseline, gain, allowed = one.candidate, one.baseline, one.gain, one.allowed
    if candidate is None or baseline is None or gain is None or allowed is None:
        raise NotAssessed(f"slice {one.name} has a p-value, but no scores")
    numbers = (candidate.value, baseline.value, gain.value, gain.low, gain.high, allowed)
    if not all(map(math.isfinite, numbers)) or allowed < 0:
        raise NotAssessed(f"a score of slice {one.name} is not finite")
    worse = adjusted < 1 - request.gate.confidence
    name, unit = metric_title(request.metric), metric_unit(request.metric, request.unit)
    ours, theirs = apart(candidate.value, baseline.value, unit=unit)
    by = f" by more than the allowed {setting(allowed, unit)}" if allowed else ""
    others = f", corrected for {among:,} slices" if among > 1 else ""
    size = amount(gain.value, unit)
    return Finding(
        "failed" if worse else "passed",
        sentence(
            f"{name} on {one.rows:,} rows is {ours} against {theirs}: "
            f"{'' if worse else 'not '}significantly worse{by} (gain {size}, "
            f"{interval(gain.low, gain.high, unit)}; {p_value(adjusted)}{others})"
        ),
        forces="reject",
        flip=f"On the rows where {one.where or one.name}, a gain in {name} of at least "
        f"{setting(-allowed, unit)} instead of {size}"
        if worse
        else None,
        title=_title(one),
        values={
            "rows": one.rows,
            "where": one.where,
            "candidate": candidate.value,
            "baseline": baseline.value,
            "gain": gain.value,
            "low": gain.low,
            "high": gain.high,
            "allowed": allowed,
            "p_value": one.p_value,
            "p_adjusted": adjusted,
        },
    )


def _unassessed(one: SliceScore) -> Finding:
    if not one.why:
        raise NotAssessed(f"slice {one.name} was not assessed, and no reason is given")
    return Finding(
        "not_assessed",
        sentence(one.why),
        title=_title(one),
        severity="warning",
        values={"rows": one.rows, "where": one.where},
    )


def _search(request: GateRequest) -> Finding:
    search, title = request.evaluated.search, "Slice search"
    if search is None:
        return Finding("not_assessed", "Evaluate did not search for slices.", title=title)
    if search.why:
        return Finding("not_assessed", sentence(search.why), title=title, severity="warning")
    found = sum(one.kind == "found" for one in request.evaluated.slices)
    if found != search.worse:
        return Finding(
            "not_assessed",
            f"The search reports {count(search.worse, 'slice')}, but {found:,} are published.",
            title=title,
        )
    searched = f"A tree of {search.leaves:,} leaves on {search.fitted:,} holdout rows"
    message = f"{searched} found no slice on which the candidate is worse than allowed."
    if found:
        message = (
            f"{searched} found {count(found, 'slice')} on which the candidate looks worse; tested "
            f"above on {search.tested:,} other rows."
        )
    return Finding(
        "passed",
        message,
        title=title,
        values={
            "fitted": search.fitted,
            "tested": search.tested,
            "leaves": search.leaves,
            "found": found,
        },
    )


def _title(one: SliceScore) -> str:
    return f"Slice found: {one.where}" if one.kind == "found" else f"Slice: {one.name}"


CHECK = GateCheck(
    code="SLICE",
    title="No slice is significantly worse",
    severity="error",
    position=170,
    assess=assess,
    needs=("ROWS-SAME", "LINEAGE-SPANS", "LINEAGE-ROWS", "LINEAGE-ENTITIES"),
)
