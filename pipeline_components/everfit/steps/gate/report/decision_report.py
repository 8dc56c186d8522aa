"""The decision as one page, to hand to an auditor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from everfit.contracts import wording
from everfit.contracts.left_out import left_out, much_left_out
from everfit.contracts.messages.planning import RunType
from everfit.contracts.messages.requests import GateRequest
from everfit.contracts.messages.verdicts import Bound, Check, Comparison, VerdictName
from everfit.contracts.spec.margins import required_in_words
from everfit.contracts.spec.metrics import METRICS, metric_title, metric_unit
from everfit.contracts.weighted import weighted_by
from everfit.reporting.pictures import embedded
from everfit.reporting.plot import NARROW, WIDE
from everfit.reporting.templating import Tone, render
from everfit.steps.gate.decide import obstructing
from everfit.steps.gate.evidence.comparison import is_decayed, level_of
from everfit.steps.gate.finding import NotAssessed
from everfit.steps.gate.report import scores
from everfit.steps.gate.report.budget_picture import budget_picture
from everfit.steps.gate.report.gain_picture import gain_picture
from everfit.steps.gate.report.report_document import flips, lineage

TEMPLATE = "steps/gate/report/decision_report.html.j2"
TONE: dict[VerdictName, Tone] = {"promote": "good", "hold": "warn", "reject": "bad"}
MEANING: dict[VerdictName, str] = {
    "promote": "The candidate is good enough to become champion.",
    "hold": "Nothing changes: the evidence does not suffice to decide.",
    "reject": "Nothing changes: the candidate does not meet what the gate requires.",
}
TRIGGERED_BY: dict[RunType, str] = {
    "manual": "a person, in Airflow",
    "scheduled": "the schedule",
    "asset": "an event",
    "backfill": "a backfill",
    "cli": "a person, at the command line",
    "refit": "the promotion before it",
}
"""What triggered a run, for people."""

MOST_IMPORTANCES = 12

Facts = list[tuple[str, object]]


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
        Pictures of evaluate.
    """
    evaluated = request.evaluated
    against = evaluated.baseline if request.champion else f"the {evaluated.baseline} dummy"
    gain = next((check for check in checks if check.code == "GAIN"), None)
    said = gain is None or because.startswith(gain.message.rstrip("."))  # by the headline already
    return render(
        TEMPLATE,
        title=f"{evaluated.candidate.family} compared with {against}",
        kicker=f"{request.pipeline} · decision report",
        lead=because,
        badge=verdict,
        tone=TONE[verdict],
        footer=f"{MEANING[verdict]} Run {request.run_key[:12]}. This page follows from the run’s "
        "records alone: it holds no time of its own and fetches nothing.",
        request=request,
        metric_name=metric_title(request.metric),
        unit=metric_unit(request.metric, request.unit),
        reason=None if said or gain is None else gain.message,
        gain=None if compared is None else _gain(request, compared, gain),
        flips=flips(verdict, checks),
        checks=_in_order(checks),
        trigger=_trigger(request),
        budget=_budget(request),
        scores=scores.scores(request),
        slices=scores.slices(request),
        fairness=scores.fairness(request),
        pictures=[embedded(name, svg) for name, svg in plots],
        data=_data(request),
        spans=[
            *((span, "training") for span in request.window),
            *((span, "holdout") for span in request.holdout),
        ],
        candidate=_candidate(request),
        params=[(name, str(value)) for name, value in sorted(evaluated.candidate.params.items())],
        importances=_importances(request),
        champion_scores=_champion_scores(request),
        costs=_costs(request),
        lineage=_lineage(request),
    )


def _gain(request: GateRequest, compared: Comparison, gain: Check | None) -> dict[str, Any]:
    tone: Tone = "calm"
    if gain is not None and gain.state == "passed":
        tone = "good"
    elif gain is not None and gain.state == "failed":
        tone = "bad" if gain.forces == "reject" else "warn"
    judged = _judged(request, compared)
    metric, unit = METRICS[compared.metric], metric_unit(compared.metric, request.unit)
    decayed = is_decayed(request)
    required, declared = compared.required.in_words(unit), request.gate.asks(decayed).margin
    if declared.relative:
        required += f" ({wording.percent(declared.value)} of the baseline’s score)"
    ours, theirs = wording.apart(compared.candidate_score, compared.baseline_score, unit=unit)
    found = compared.gain
    decided = "no interval: the evaluation budget is exhausted"
    if judged is not None:
        decided = (
            f"{wording.interval(judged.low, judged.high, unit)} (thin), with "
            f"{wording.confidence(judged.alpha)}: the level this evaluation has spent"
        )
    facts: Facts = [
        (
            "Metric",
            f"{metric.full_title}, {'higher' if metric.greater_is_better else 'lower'} is better",
        ),
        ("Candidate", ours),
        (f"Baseline: {compared.baseline}", theirs),
        ("Required", required),
        *_decay(request, decayed),
        (
            "Gain",
            f"{wording.amount(found.value, unit, signed=True)}; "
            f"{wording.percent(request.gate.confidence)} confidence interval "
            f"{wording.interval(found.low, found.high, unit)} (thick)",
        ),
        ("Decided by", decided),
        ("Method", f"{found.method}, {wording.count(found.rows, 'row')} scored by both"),
    ]
    wide, narrow = (gain_picture(compared, tone, unit, width, judged) for width in (WIDE, NARROW))
    return {"wide": wide, "narrow": narrow, "facts": facts}


def _decay(request: GateRequest, decayed: bool) -> Facts:
    """What monitoring had found of the champion, where that says what is required."""
    evaluation, gate = request.holdout_evaluation, request.gate
    if gate.when_decayed is None or evaluation is None or evaluation.decay is None:
        return []
    usual = required_in_words(gate.intention, gate.margin.text)
    asked = f"; asked instead of {usual}" if decayed else ""
    return [("Champion", f"{evaluation.decay.because}{asked}")]


def _judged(request: GateRequest, compared: Comparison) -> Bound | None:
    try:
        return level_of(request, compared)
    except NotAssessed:
        return None


def _in_order(checks: Sequence[Check]) -> list[tuple[Check, Tone]]:
    """What stands in the way first; each with its tone."""
    obstacles = obstructing(checks)
    ordered = [*obstacles, *(check for check in checks if check not in obstacles)]
    return [(check, _tone(check)) for check in ordered]


def _tone(check: Check) -> Tone:
    if check.state == "passed":
        return "good"
    if check.state == "failed":
        return "bad" if check.severity == "error" and check.forces != "hold" else "warn"
    return "warn" if check.state == "not_assessed" and check.severity == "error" else "calm"


def _trigger(request: GateRequest) -> Facts:
    found = request.trigger
    pairs: Facts = [("Triggered by", TRIGGERED_BY[found.run_type])]
    if found.due:
        pairs.append(("Scheduled for", found.due.replace("T", " ")))
    if found.reason:
        pairs.append(("Reason", found.reason))
    if found.run_id:
        pairs.append(("Airflow run", found.run_id))
    return pairs


def _budget(request: GateRequest) -> dict[str, Any] | None:
    """What the evaluation of this holdout could spend, with those of the year before it."""
    evaluation, limit = request.holdout_evaluation, request.gate.false_promotions
    if evaluation is None:
        return None
    every = [*request.evaluations_before, evaluation]
    fresh, spent = sum(span.fresh for span in evaluation.spans), sum(one.alpha for one in every)
    spans = wording.count(len(evaluation.spans), "span")
    spans += f", {wording.number(fresh)} of them never evaluated before" if fresh else ""
    if fresh == len(evaluation.spans):
        spans = f"{wording.count(fresh, 'span')} never evaluated before"
    facts: Facts = [
        ("This evaluation", f"number {evaluation.number} of this pipeline, on {spans}"),
        (
            "Available",
            f"{wording.number(evaluation.pool)}, of which "
            f"{wording.number(evaluation.refilled)} was added for what is new",
        ),
        (
            "Spent",
            f"{wording.number(evaluation.alpha)}: the probability that a candidate no better than "
            "required passes"
            if evaluation.alpha
            else "nothing: the budget is exhausted",
        ),
        (
            "Spent in a year",
            f"{wording.number(spent)} of {wording.plain(limit)} false promotions, by "
            f"{wording.count(len(every), 'holdout evaluation')}",
        ),
    ]
    if request.gate.when_decayed:
        beside = [one for one in every if one.decayed]
        facts.append(
            (
                "Of it for decayed champions",
                f"{wording.number(sum(one.alpha for one in beside))}, by "
                f"{wording.count(len(beside), 'holdout evaluation')}",
            )
        )
    wide, narrow = (budget_picture(every, limit, width) for width in (WIDE, NARROW))
    return {"facts": facts, "wide": wide, "narrow": narrow}


def _data(request: GateRequest) -> Facts:
    prepared = request.prepared
    dropped = left_out(prepared.dropped, prepared.rows_read)
    warning = much_left_out(prepared.dropped, prepared.rows_read)
    shared = "" if request.holdout else ", a share of the same spans’ rows"
    return [
        ("Trained on", wording.count(prepared.rows_train, "row")),
        ("Evaluated on", wording.count(prepared.rows_holdout, "row") + shared),
        ("Left out", " ".join(filter(None, ("; ".join(dropped) or "nothing", warning)))),
        *([("Row weights", weighted_by(prepared.weights))] if prepared.weights else []),
        ("Features", sum(column.role == "feature" for column in prepared.columns)),
    ]


def _candidate(request: GateRequest) -> Facts:
    candidate = request.evaluated.candidate
    unit = metric_unit(request.metric, request.unit)
    return [
        ("Family", candidate.family),
        (
            f"Cross-validated {metric_title(request.metric)}",
            wording.amount(candidate.cv_score, unit),
        ),
        ("Settings tried", len(candidate.trials)),
        ("Size", wording.size(candidate.model.size)),
    ]


def _importances(request: GateRequest) -> list[tuple[str, float]]:
    """The most important features, where no picture shows them."""
    evaluated = request.evaluated
    if any("importance" in plot.name for plot in evaluated.plots):
        return []
    ranked = sorted(evaluated.importances.items(), key=lambda item: (-item[1], item[0]))
    return ranked[:MOST_IMPORTANCES]


def _champion_scores(request: GateRequest) -> str:
    if request.champion is None:
        return ""
    return ", ".join(
        f"{metric_title(name)} {wording.amount(value, metric_unit(name, request.unit))}"
        for name, value in sorted(request.champion.scores.items())
    )


def _costs(request: GateRequest) -> dict[str, Any]:
    """What the run's steps have cost where their work was done, each family by its name."""
    families = {digest: family for family, digest in request.evaluated.trained.items()}
    rows = [
        [
            f"train {families[one.result]}" if one.result in families else one.component,
            wording.duration(one.seconds),
            wording.cpu_time(one.cpu_seconds),
            wording.size(1e6 * one.peak_mb),
        ]
        for one in request.costs
    ]
    total = [
        "total",
        wording.duration(sum(one.seconds for one in request.costs)),
        wording.cpu_time(sum(one.cpu_seconds for one in request.costs)),
        wording.size(1e6 * max((one.peak_mb for one in request.costs), default=0)),
    ]
    return {"rows": rows, "total": total}


def _lineage(request: GateRequest) -> Facts:
    """Digests of everything the decision rests on."""
    pairs: Facts = [
        (name.replace("_", " ").capitalize(), value)
        for name, value in lineage(request)
        if value is not None
    ]
    if request.champion:
        told = f"version {request.champion.version}, promotion {request.champion.sequence}"
        pairs.insert(1, ("Champion", told))
    pairs.append(("Seed", str(request.seed)))
    return pairs
