"""How the models did on the holdout, as the decision page shows it."""

from __future__ import annotations

from typing import Any

from everfit.contracts import wording
from everfit.contracts.messages.requests import GateRequest
from everfit.contracts.messages.verdicts import Estimate
from everfit.contracts.spec.metrics import METRICS, metric_title, metric_unit
from everfit.reporting.forest import Row, forest
from everfit.reporting.plot import NARROW, WIDE
from everfit.reporting.svg import Drawing


def scores(request: GateRequest) -> dict[str, Any]:
    """Every metric of candidate, baseline and dummy, then of every family."""
    found = request.evaluated.scores
    candidate, baseline = found.get("candidate", {}), found.get("baseline", {})
    dummy = found.get("dummy", {})
    columns = [("Candidate", candidate), (f"Baseline: {request.evaluated.baseline}", baseline)]
    if dummy and dummy != baseline:
        columns.append((f"Dummy: {request.gate.baseline}", dummy))
    names = [name for name in METRICS if any(name in scores for _, scores in columns)]
    names.sort(key=lambda name: name != request.metric)
    rows = []
    for name in names:
        estimates = [scores.get(name) for _, scores in columns]
        unit = metric_unit(name, request.unit)
        rows.append(
            {
                "title": metric_title(name),
                "primary": name == request.metric,
                "up": METRICS[name].greater_is_better,
                "unit": unit,
                "estimates": estimates,
                "drawing": spark([("candidate", estimates[0]), ("baseline", estimates[1])], unit),
            }
        )
    chosen = f"family:{request.evaluated.candidate.family}"
    every = {chosen: candidate} | {
        name: found[name] for name in sorted(found) if name.startswith("family:")
    }
    families = [
        {
            "name": name.removeprefix("family:"),
            "chosen": name == chosen,
            "estimates": [(of.get(metric), metric_unit(metric, request.unit)) for metric in names],
        }
        for name, of in every.items()
    ]
    return {
        "headers": ["Metric", *(title for title, _ in columns), "Intervals"],
        "rows": rows,
        "families": families,
        "family_headers": ["Family", *map(metric_title, names)],
    }


def slices(request: GateRequest) -> dict[str, Any] | None:
    """The paired gain on each slice, drawn."""
    every = request.evaluated.slices
    if not every:
        return None
    unit = metric_unit(request.metric, request.unit)
    rows = [
        Row(
            found.name,
            found.gain.value,
            found.gain.low,
            found.gain.high,
            colour="var(--bad)" if found.gain.high < 0 else "var(--accent)",
            limit=None if found.allowed is None else -found.allowed,
        )
        for found in every
        if found.gain is not None
    ]
    drawn: list[Drawing | None] = [
        forest(
            rows,
            f"Gain of the candidate on {wording.count(len(rows), 'slice')}",
            unit=unit,
            width=width,
            zero="no difference",
            below="gain",
        )
        if rows
        else None
        for width in (WIDE, NARROW)
    ]
    return {"wide": drawn[0], "narrow": drawn[1]}


def fairness(request: GateRequest) -> list[dict[str, Any]]:
    """Each group's score, and how far apart the groups are."""
    return [
        {
            "title": f"{metric_title(found.metric)} by {found.by}",
            "metric": metric_title(found.metric),
            "unit": metric_unit(found.metric, request.unit),
            "gap": found.gap,
            "why": found.why,
            "groups": found.groups,
            "max_gap": declared.max_gap,
        }
        for found, declared in zip(request.evaluated.fairness, request.gate.fairness, strict=False)
    ]


def spark(estimates: list[tuple[str, Estimate | None]], unit: str | None) -> Drawing | None:
    """Estimates of one metric on one small scale, the first of them standing out."""
    there = [(name, found) for name, found in estimates if found is not None]
    if not there:
        return None
    start, end = min(e.low for _, e in there), max(e.high for _, e in there)
    span = (end - start) or 1.0
    told = "; ".join(f"{name} {wording.interval(e.low, e.high, unit)}" for name, e in there)
    drawing = Drawing(160, 13 * len(there) + 4, told)
    for place, (name, found) in enumerate(there):
        y, colour = 9 + 13 * place, "var(--third)" if place else "var(--accent)"
        low, value, high = (
            8 + (at - start) / span * 144 for at in (found.low, found.value, found.high)
        )
        drawing.line(low, y, high, y, colour, stroke_width=4, stroke_linecap="round", opacity="0.4")
        drawing.add("circle", cx=value, cy=y, r=4, fill=colour)
        said = f"{name}: {wording.amount(found.value, unit)}, "
        tip = said + wording.interval(found.low, found.high, unit)
        drawing.hit(0, y - 6.5, 160, 13, tip)
    return drawing
