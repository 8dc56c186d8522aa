"""The gain over the baseline: its interval compared with the declared margin."""

from __future__ import annotations

from everfit.contracts.messages.verdicts import Bound, Comparison
from everfit.contracts.spec.margins import GainOutcome, required_in_words
from everfit.contracts.spec.metrics import METRICS, metric_title, metric_unit
from everfit.contracts.wording import about, amount, apart, confidence, interval, number, setting
from everfit.ml.holdout_budget.power import rows_to_shrink
from everfit.steps.gate.check import GateCheck
from everfit.steps.gate.evidence.comparison import comparison, is_decayed, level_of
from everfit.steps.gate.evidence.evidence import Evidence, known
from everfit.steps.gate.finding import Finding, NotAssessed


def assess(evidence: Evidence) -> Finding:
    """Compare the paired interval, at the level this evaluation has spent, with the margin."""
    request = evidence.request
    found = comparison(request)
    judged, unit = level_of(request, found), metric_unit(found.metric, request.unit)
    _agrees_with_losses(evidence, found)
    outcome = found.required.outcome(judged.low, judged.high)
    return Finding(
        state="passed" if outcome == "met" else "failed",
        message=describe(found, judged, outcome, unit) + _when_decayed(evidence),
        forces="reject" if outcome == "missed" else "hold",
        flip=flip(found, judged, outcome, unit),
        values={
            "metric": found.metric,
            "candidate": found.candidate_score,
            "baseline": found.baseline_score,
            "gain": found.gain.value,
            "low": judged.low,
            "high": judged.high,
            "margin": found.margin,
            "intention": found.intention,
            "outcome": outcome,
            "alpha": judged.alpha,
            "rows": found.gain.rows,
            **({"champion": "decayed"} if is_decayed(request) else {}),
        },
    )


def describe(found: Comparison, judged: Bound, outcome: GainOutcome, unit: str | None) -> str:
    """The judgement first, then the numbers it rests on."""
    ours, theirs = apart(found.candidate_score, found.baseline_score, unit=unit)
    return (
        f"{_judgement(found, judged, outcome, unit)}: {metric_title(found.metric)} {ours} against "
        f"{theirs} on {found.gain.rows:,} holdout rows, a gain of {amount(found.gain.value, unit)} "
        f"({interval(judged.low, judged.high, unit)}; {confidence(judged.alpha)})."
    )


def flip(found: Comparison, judged: Bound, outcome: GainOutcome, unit: str | None) -> str:
    """What would have given another answer, from an interval that narrows as 1/sqrt(rows)."""
    need = found.required.least
    value, below = found.gain.value, found.gain.value - judged.low
    enough, instead = apart(need + below, value, unit=unit)
    if outcome == "met":
        return f"A gain below {enough} instead of {instead} would have been undecided"
    better = f"a gain of at least {enough} instead of {instead}"
    total = rows_to_shrink(found.gain.rows, below, value - need)
    if total is not None and below > 0:
        more = about(max(total - found.gain.rows, 1))
        return f"About {more} more holdout rows with the same gain, or {better}"
    if outcome == "missed":
        undecided = amount(need - (judged.high - value), unit)
        return f"{_capital(better)}; from {undecided} it would have been undecided"
    return f"{_capital(better)}; more rows with the same gain would not suffice"


def _judgement(found: Comparison, judged: Bound, outcome: GainOutcome, unit: str | None) -> str:
    who = f"the {found.baseline} dummy" if "champion" not in found.baseline else found.baseline
    margin = setting(found.margin, unit)
    if found.intention == "superior_by":
        by = f" by the required {margin}" if found.margin else ""
        worse = judged.high < 0
        return {
            "met": f"Better than {who}{by}",
            "undecided": f"Undecided whether better than {who}{by}",
            "missed": f"Worse than {who}" if worse else f"Not better than {who}{by}",
        }[outcome]
    by = f" by more than the allowed {margin}" if found.margin else ""
    return {
        "met": f"Not worse than {who}{by}",
        "undecided": f"Undecided whether worse than {who}{by}",
        "missed": f"Worse than {who}{by}",
    }[outcome]


def _when_decayed(evidence: Evidence) -> str:
    """Why something else is asked than usual; empty where it is not."""
    request = evidence.request
    evaluation = request.holdout_evaluation
    if not is_decayed(request) or evaluation is None or evaluation.decay is None:
        return ""
    usual = required_in_words(request.gate.intention, request.gate.margin.text)
    return f" This is asked instead of {usual}, as {evaluation.decay.because}."


def _agrees_with_losses(evidence: Evidence, found: Comparison) -> None:
    """Recompute the gain from the published row losses, where the metric is their mean."""
    if not METRICS[found.metric].mean_of_losses:
        return
    import pyarrow.compute as pc

    losses = known(evidence.losses)
    better = pc.subtract(losses.baseline, losses.candidate)
    if losses.weight is None:
        paired = pc.mean(better).as_py()
    else:
        total = pc.sum(losses.weight).as_py()
        paired = pc.sum(pc.multiply(better, losses.weight)).as_py() / total if total else None
    size = max(abs(found.candidate_score), abs(found.baseline_score), 1e-12)
    if paired is None or not abs(paired - found.gain.value) <= 1e-6 * size:
        raise NotAssessed(
            f"the published row losses give a gain of {number(paired, digits=6)}, but the "
            f"comparison says {number(found.gain.value, digits=6)}"
        )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


CHECK = GateCheck(
    code="GAIN",
    title="Gain over the baseline",
    severity="error",
    position=80,
    assess=assess,
    needs=(
        "ROWS-ENOUGH",
        "ROWS-SAME",
        "LINEAGE-SPANS",
        "LINEAGE-ROWS",
        "LINEAGE-ENTITIES",
        "LINEAGE-TIME",
        "FINITE",
        "BUDGET",
    ),
    must_pass=True,
)
