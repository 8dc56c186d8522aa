"""The decision as one page, to hand to an auditor."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline_components.contracts.metrics import METRICS
from pipeline_components.contracts.requests import GateRequest
from pipeline_components.contracts.verdicts import Bound, Check, Comparison, VerdictName
from pipeline_components.looks.words import odds
from pipeline_components.report.elements import facts, picture, pictures, tag
from pipeline_components.report.page import Section, Tone, escape, number, page, pill, short

from . import report_lineage, report_scores
from .check_gain import level_of
from .decide import obstructing
from .evidence import NotAssessed
from .interval_figure import gain_figure
from .report_document import flips

TONE: dict[VerdictName, Tone] = {"promote": "good", "hold": "warn", "reject": "bad"}
MEANING: dict[VerdictName, str] = {
    "promote": "The candidate is good enough to become champion.",
    "hold": "Nothing changes: what is known does not suffice to decide.",
    "reject": "Nothing changes: the candidate is surely not what was asked for.",
}


def report_html(
    request: GateRequest,
    verdict: VerdictName,
    because: str,
    checks: Sequence[Check],
    compared: Comparison | None,
    *,
    plots: Sequence[tuple[str, bytes]],
) -> bytes:
    """The decision as one page.

    Parameters
    ----------
    plots : sequence of (name, svg)
        Pictures of evaluate, embedded as images.
    """
    candidate, against = request.evaluated.candidate.family, request.evaluated.baseline
    if request.champion is None:
        against = f"the {against} dummy"
    evaluated = request.evaluated
    sections = [
        Section("The comparison", _comparison(request, because, checks, compared)),
        Section("What would have changed the verdict", _flips(verdict, checks)),
        Section("Checks", _checks(checks)),
        Section("Why now", report_lineage.trigger(request)),
        Section("Budget of looks", report_lineage.budget(request)),
        Section("Scores", report_scores.scores(request)),
    ]
    shown = [
        ("Slices", evaluated.slices, report_scores.slices),
        ("Calibration", evaluated.calibration, report_scores.calibration),
        ("Fairness", evaluated.fairness, report_scores.fairness),
        ("Stability", evaluated.disturbed, report_scores.disturbed),
    ]
    sections += [Section(title, draw(request)) for title, there, draw in shown if there]
    if plots:
        drawn = [picture(svg, _title(name)) for name, svg in plots]
        sections.append(Section("Pictures", pictures(drawn)))
    sections += [
        Section("Data", report_lineage.data(request)),
        Section("Models", report_lineage.models(request)),
        Section("Cost", report_lineage.cost(request)),
        Section("Lineage", report_lineage.lineage_table(request)),
    ]
    return page(
        f"{candidate} against {against}",
        because,
        sections,
        badge=verdict,
        tone=TONE[verdict],
        kicker=f"{request.pipeline} · decision report",
        footer=f"{MEANING[verdict]} Run {request.run_key[:12]}. This page follows from the "
        "run's records alone: it holds no time of its own and fetches nothing.",
    )


def _comparison(
    request: GateRequest, because: str, checks: Sequence[Check], compared: Comparison | None
) -> str:
    gain = next((check for check in checks if check.code == "GAIN"), None)
    said = gain is None or because.startswith(gain.message.rstrip("."))  # by the headline already
    told = "" if said or gain is None else f"<p>{escape(gain.message)}</p>"
    if compared is None:
        return told or "<p>The candidate could not be compared with its baseline.</p>"
    tone: Tone = "calm"
    if gain is not None and gain.state == "passed":
        tone = "good"
    elif gain is not None and gain.state == "failed":
        tone = "bad" if gain.forces == "reject" else "warn"
    judged = _judged(request, compared)
    metric = METRICS[compared.metric]
    better = "higher" if metric.greater_is_better else "lower"
    asked = (
        f"surely better by {short(compared.margin)}"
        if compared.intention == "superior_by"
        else f"surely not worse by more than {short(compared.margin)}"
    )
    spec = request.gate.superior_by or request.gate.not_worse_than
    if spec is not None and spec.relative:
        asked += f" ({short(100 * spec.value)} % of the baseline's score)"
    listed = facts(
        [
            ("Metric", f"{metric.title} ({compared.metric}), {better} is better"),
            ("Candidate", number(compared.candidate_score)),
            (f"Baseline: {compared.baseline}", number(compared.baseline_score)),
            ("Asked for", asked),
            ("Interval", f"{100 * request.gate.confidence:g} % (thick), {compared.gain.method}, "
             f"{compared.gain.rows:,} rows scored by both"),
            ("Judged by", "no interval" if judged is None else
             f"{short(judged.low)} to {short(judged.high)}, at the level this look has spent: "
             f"{odds(judged.alpha)} that the gain is less"),
        ]
    )  # fmt: skip
    return f"{told}{gain_figure(compared, tone, judged)}{listed}"


def _judged(request: GateRequest, compared: Comparison) -> Bound | None:
    try:
        return level_of(request, compared)
    except NotAssessed:
        return None


def _flips(verdict: VerdictName, checks: Sequence[Check]) -> str:
    told = flips(verdict, checks)
    if not told:
        return "<p>Nothing that the checks could name.</p>"
    if len(told) == 1:
        return f"<p>{escape(told[0])}</p>"
    lead = "<p>All of these together:</p>"
    return f"{lead}<ul>{''.join(f'<li>{escape(sentence)}</li>' for sentence in told)}</ul>"


def _checks(checks: Sequence[Check]) -> str:
    items = []
    obstacles = obstructing(checks)
    for check in [*obstacles, *(check for check in checks if check not in obstacles)]:
        tone: Tone = "calm"
        if check.state == "passed":
            tone = "good"
        elif check.state == "failed":
            tone = "bad" if check.severity == "error" and check.forces != "hold" else "warn"
        elif check.state == "not_assessed" and check.severity == "error":
            tone = "warn"
        role = "must pass" if check.severity == "error" else check.severity
        items.append(
            f"<li><div>{pill(check.state.replace('_', ' '), tone)}</div><div><div class='head'>"
            f"<strong>{escape(check.title)}</strong>{tag(role)}<code>{escape(check.code)}</code>"
            f"</div><p>{escape(check.message)}</p></div></li>"
        )
    return f'<ul class="findings">{"".join(items)}</ul>'


def _title(name: str) -> str:
    plain = name.rpartition(".")[0] or name
    return plain.replace("_", " ").replace("-", " ").capitalize()
