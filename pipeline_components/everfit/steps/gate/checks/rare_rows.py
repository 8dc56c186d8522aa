"""Rare bad rows cannot undo the gain, as far as the rows that are known tell."""

from __future__ import annotations

from everfit.contracts.messages.verdicts import Comparison, KnownRows
from everfit.contracts.spec.metrics import metric_title, metric_unit
from everfit.contracts.wording import about, amount, apart, number
from everfit.ml.scoring.unseen import ENOUGH, EVENTS, FEWEST_EVENTS, may_take, one_row_counts
from everfit.steps.gate.check import GateCheck
from everfit.steps.gate.evidence.comparison import comparison, level_of
from everfit.steps.gate.evidence.evidence import Evidence
from everfit.steps.gate.finding import Finding, NotAssessed


def assess(evidence: Evidence) -> Finding:
    """Compare the gain with what bad rows could take of it of which too few are known.

    Not assessed, and held, where fewer than ten rows carry the spread of what may be lost, and
    where ``gate.worst_loss`` is declared and too few rows are known. Without that setting too few
    known rows are a warning.
    """
    request = evidence.request
    if request.champion is None:
        return Finding("not_applicable", "A first model replaces nobody.")
    found = comparison(request)
    if not one_row_counts(found.metric):
        return Finding(
            "not_applicable", f"A single row cannot cost much in {metric_title(found.metric)}."
        )
    judged = level_of(request, found)
    if found.required.outcome(judged.low, judged.high) != "met":
        return Finding("not_applicable", "The holdout shows no gain that they could undo.")
    known, worst_loss = found.known, request.gate.worst_loss
    if known is None:
        raise NotAssessed("evaluate published no count of the rows whose predictions are known")
    takes, gain, need = may_take(known, worst_loss), found.gain.value, found.required.least
    values: dict[str, float | int | str | None] = {
        "known": known.rows,
        "events": known.events,
        "may_take": takes,
        "gain": gain,
        "needed": need,
        "worst_loss": worst_loss,
    }
    if gain - need < takes:
        least, instead = apart(need + takes, gain, unit=metric_unit(found.metric, request.unit))
        few = known.events < FEWEST_EVENTS and gain - need < may_take(known, None)
        why = _few_events(known) if few else _few_known(known)
        if not few and worst_loss is not None:
            cost = amount(takes, metric_unit(found.metric, request.unit))
            why += f". At {number(worst_loss)} times the mean loss each, they could cost {cost}"
        return Finding(
            "not_assessed",
            f"{why}. The gain of {instead} must be at least {least}.",
            flip=_flip(known, few, least),
            values=values,
        )
    if known.rows < ENOUGH and worst_loss is None:
        times = (gain - need) * known.rows / EVENTS / max(known.row_loss, 1e-300)
        return Finding(
            "not_assessed",
            f"{_few_known(known)}. They would undo the gain at {number(times, digits=2)} times the "
            "mean loss each. To hold there, declare gate.worst_loss.",
            severity="warning",
            values=values,
        )
    return Finding("passed", _passed(found, known, takes, request.unit), values=values)


def _few_known(known: KnownRows) -> str:
    return (
        f"Only {known.rows:,} rows of holdout and window are known, so bad rows that are as rare "
        f"as one in {round(known.rows / EVENTS):,} may not be among them"
    )


def _few_events(known: KnownRows) -> str:
    return (
        f"About {number(max(known.events, 1.0), digits=2)} of {known.rows:,} known rows carry "
        f"nearly all that may be lost; what such rows cost can be told from {FEWEST_EVENTS}"
    )


def _flip(known: KnownRows, few: bool, least: str) -> str:
    if few:
        return f"A longer window, with more such rows, or a gain of at least {least}"
    return (
        f"About {about(max(ENOUGH - known.rows, 1))} more rows in holdout and window, a gain of at "
        f"least {least}, or a smaller gate.worst_loss if no row can lose as much"
    )


def _passed(found: Comparison, known: KnownRows, takes: float, unit: str | None) -> str:
    text = f"Both models' predictions of {known.rows:,} rows are known"
    if takes:
        cost = amount(takes, metric_unit(found.metric, unit))
        return f"{text}; rows that are too rare to be among them could cost {cost} of the gain."
    return f"{text}; bad rows would be among them."


CHECK = GateCheck(
    code="RARE-ROWS",
    title="Rare bad rows cannot undo the gain",
    severity="error",
    position=85,
    assess=assess,
)
