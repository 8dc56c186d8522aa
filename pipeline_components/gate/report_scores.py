"""Parts of the decision page that show how the models did on the holdout."""

from __future__ import annotations

from pipeline_components.contracts.evidence import SliceScore
from pipeline_components.contracts.metrics import METRICS
from pipeline_components.contracts.requests import GateRequest
from pipeline_components.contracts.verdicts import Estimate
from pipeline_components.report.elements import tag
from pipeline_components.report.page import Html, escape, number, short, table

from .interval_figure import strip


def scores(request: GateRequest) -> str:
    """Every metric of candidate, baseline and dummy, then of every family."""
    found_scores = request.evaluated.scores
    candidate, baseline = found_scores.get("candidate", {}), found_scores.get("baseline", {})
    dummy = found_scores.get("dummy", {})
    columns: list[tuple[str, dict[str, Estimate]]] = [
        ("Candidate", candidate),
        (f"Baseline: {request.evaluated.baseline}", baseline),
    ]
    if dummy and dummy != baseline:
        columns.append((f"Dummy: {request.gate.baseline}", dummy))
    names = [name for name in METRICS if any(name in found for _, found in columns)]
    names.sort(key=lambda name: name != request.metric)
    rows = []
    for name in names:
        estimates = [(title, found.get(name)) for title, found in columns]
        rows.append(
            [_metric(name, request.metric), *(_estimate(e) for _, e in estimates),
             strip(estimates[:2])]
        )  # fmt: skip
    drawn = "Intervals drawn: candidate above, baseline below; each row has its own scale"
    headers = ["Metric", *(title for title, _ in columns), "Intervals"]
    text = str(table(headers, rows, caption=drawn))
    chosen = f"family:{request.evaluated.candidate.family}"
    families = {chosen: candidate} | {
        name: found for name, found in sorted(found_scores.items()) if name.startswith("family:")
    }
    if len(families) > 1:
        rows = [
            [_family(name, request), *(_estimate(found.get(metric)) for metric in names)]
            for name, found in families.items()
        ]
        text += "<h3>Every family on the same rows</h3>"
        text += str(table(["Family", *names], rows))
        text += (
            '<p class="soft">The candidate is the family with the best cross-validated score, '
            "chosen before the holdout was looked at.</p>"
        )
    return text


def slices(request: GateRequest) -> str:
    """The primary metric on each slice, and the paired gain there."""
    rows = []
    for found in request.evaluated.slices:
        where = f"<br><small>{escape(found.where)}</small>" if found.where else ""
        mark = f" {tag('found')}" if found.kind == "found" else ""
        rows.append(
            [
                Html(f"{escape(found.name)}{mark}{where}"),
                found.rows,
                _estimate(found.candidate),
                _estimate(found.baseline),
                _estimate(found.gain) if found.gain else escape(found.why or "too few rows"),
                _allowed(found),
                strip([("gain", found.gain), ("no difference", _zero(found))])
                if found.gain
                else None,
            ]
        )
    headers = ["Slice", "Rows", "Candidate", "Baseline", "Gain", "May be worse by", "Gain drawn"]
    return str(
        table(
            headers,
            rows,
            caption=f"{request.metric} of subsets of the holdout; the gain is paired, and positive "
            "where the candidate is better. The grey dot is no difference.",
        )
    )


def calibration(request: GateRequest) -> str:
    """Predicted probabilities beside observed frequencies."""
    found = request.evaluated.calibration
    if found is None:
        return ""
    baseline = f"; the baseline's is {number(found.baseline.value)}" if found.baseline else ""
    rows = [[item.rows, item.predicted, item.observed] for item in found.bins]
    return (
        f"<p>The candidate's expected calibration error is {number(found.candidate.value)} "
        f"({number(found.candidate.low)} to {number(found.candidate.high)}){baseline}.</p>"
        f"{table(['Rows', 'Mean probability', 'Observed share'], rows)}"
    )


def fairness(request: GateRequest) -> str:
    """Each group's score, and how far apart the groups are."""
    parts = []
    for found, asked in zip(request.evaluated.fairness, request.gate.fairness, strict=False):
        why = found.why or "fewer than two groups to compare"
        gap = _interval(found.gap) if found.gap else f"not known: {escape(why)}"
        rows = [[item.group, item.rows, item.value] for item in found.groups]
        parts.append(
            f"<h3>{escape(found.metric)} by {escape(found.by)}</h3>"
            f"<p>Largest gap: {gap}; at most {short(asked.max_gap)} is allowed.</p>"
            f"{table(['Group', 'Rows', found.metric], rows)}"
        )
    return "".join(parts)


def disturbed(request: GateRequest) -> str:
    """What noise and missing inputs do to the score."""
    rows: list[list[object]] = []
    for item in request.evaluated.disturbed:
        what = "noise on every number" if item.kind == "noise" else f"{item.what} missing"
        rows.append([what, item.rows, item.before, item.trouble or item.after, item.worse])
    headers = ["Disturbed", "Rows", "Before", "After", "Worse by"]
    return str(table(headers, rows, caption=f"{request.metric} on a sample of the holdout"))


def _metric(name: str, primary: str) -> Html:
    arrow = "higher is better" if METRICS[name].greater_is_better else "lower is better"
    main = f"<strong>{escape(name)}</strong>" if name == primary else escape(name)
    note = f"primary, {arrow}" if name == primary else arrow
    return Html(f"{main}<br><small>{note}</small>")


def _estimate(found: Estimate | None) -> Html:
    if found is None:
        return escape("–")
    return Html(
        f"{escape(number(found.value).replace('-', '−'))}<br><small>"
        f"{escape(number(found.low).replace('-', '−'))} to "
        f"{escape(number(found.high).replace('-', '−'))}</small>"
    )


def _family(name: str, request: GateRequest) -> Html:
    plain = name.removeprefix("family:")
    chosen = tag("candidate") if plain == request.evaluated.candidate.family else Html("")
    return Html(f"{escape(plain)} {chosen}")


def _interval(found: Estimate) -> str:
    return f"{number(found.value)} ({number(found.low)} to {number(found.high)})"


def _allowed(found: SliceScore) -> object:
    return None if found.allowed is None else found.allowed


def _zero(found: SliceScore) -> Estimate:
    return Estimate(value=0.0, low=0.0, high=0.0, rows=found.rows, method="")
