"""The evaluation budget had something to spend on this holdout."""

from __future__ import annotations

from everfit.contracts.messages.evaluations import HoldoutEvaluation
from everfit.contracts.messages.requests import GateRequest
from everfit.contracts.wording import (
    confidence,
    count,
    duration,
    listed,
    percent,
    plain,
    rounded_up,
)
from everfit.ml.holdout_budget.coverage import YEAR
from everfit.ml.holdout_budget.policy import rows_to_refill, years_to_refill
from everfit.ml.holdout_budget.spend import level_cap
from everfit.steps.gate.check import GateCheck
from everfit.steps.gate.evidence.evidence import Evidence
from everfit.steps.gate.finding import Finding, NotAssessed


def assess(evidence: Evidence) -> Finding:
    """The evaluation is recorded, it is of this holdout, and it had something to spend."""
    request = evidence.request
    evaluation = recorded(request)
    before, allowed = request.evaluations_before, request.gate.false_promotions
    spent = sum(one.alpha for one in before) + evaluation.alpha
    year = (
        f"{count(len(before) + 1, 'evaluation')} in the last year of data, this one included, "
        f"spent {plain(spent)} of the {plain(allowed)} false promotions a year that are allowed"
    )
    if request.gate.when_decayed:
        decayed = [one for one in (*before, evaluation) if one.decayed]
        year += f"; {count(len(decayed), 'evaluation')} of them beside a decayed champion spent "
        year += plain(sum(one.alpha for one in decayed))
    if evaluation.shared_with:
        year += f"; the budget is shared with {listed(evaluation.shared_with)}, on the same rows"
    values: dict[str, float | int | str | None] = {
        "number": evaluation.number,
        "alpha": evaluation.alpha,
        "pool": evaluation.pool,
        "refilled": evaluation.refilled,
        "new_rows": evaluation.new_rows,
        "evaluations": len(before) + 1,
        "spent": spent,
        "allowed": allowed,
    }
    if evaluation.alpha > 0:
        return Finding(
            "passed",
            f"This evaluation spends {plain(evaluation.alpha)} of the {plain(evaluation.pool)} in "
            f"the budget: {confidence(evaluation.alpha)}. {year}.",
            values=values,
        )
    rows = rounded_up(rows_to_refill(before, evaluation, request.gate))
    time = duration(years_to_refill(before, evaluation, request.gate) * YEAR.total_seconds())
    values["rows_to_refill"] = rows
    more = f"bout {rows:,} new labelled rows ({time} of data)"
    return Finding(
        "failed",
        f"The evaluation budget is exhausted: {_why(evaluation)}, and the "
        f"{plain(evaluation.pool)} in the budget is too little for another evaluation; a{more} "
        f"would refill it. {year}.",
        flip=f"A{more}, which would refill the evaluation budget",
        values=values,
    )


def recorded(request: GateRequest) -> HoldoutEvaluation:
    """The run's evaluation on this very holdout.

    Raises
    ------
    NotAssessed
        If none is recorded, or one that the policy cannot have decided.
    """
    evaluation = request.holdout_evaluation
    if evaluation is None:
        raise NotAssessed("the ledger has no record of this run's holdout evaluation")
    if evaluation.run_key != request.run_key:
        raise NotAssessed(f"the recorded evaluation is of another run, {evaluation.run_key[:12]}")
    judged = {span.digest for span in request.holdout or request.window}
    if {span.digest for span in evaluation.spans} != judged:
        raise NotAssessed("the recorded evaluation is on other spans than this holdout's")
    if not 0 <= evaluation.alpha <= min(evaluation.pool, level_cap(request.gate.confidence)):
        raise NotAssessed(
            f"the recorded evaluation spends {plain(evaluation.alpha)}, which none may with "
            f"{plain(evaluation.pool)} in the budget"
        )
    return evaluation


def _why(evaluation: HoldoutEvaluation) -> str:
    """Why an evaluation has nothing to spend: who was evaluated before."""
    fresh = [span for span in evaluation.spans if span.fresh]
    many = len(evaluation.spans) > 1
    if not fresh:
        return f"{'these spans were' if many else 'this span was'} evaluated before"
    if evaluation.new_rows < 0.5:
        again = percent(1 - evaluation.new_rows)
        return f"{again} of these rows were evaluated before, under another name or filter"
    if not evaluation.refilled:
        return f"the time of {'these spans' if many else 'this span'} was evaluated before"
    new = duration(sum(span.new for span in fresh) * YEAR.total_seconds())
    return f"only {new} of what is evaluated here is new"


CHECK = GateCheck(
    code="BUDGET",
    title="Evaluation budget",
    severity="error",
    position=70,
    assess=assess,
    must_pass=True,
)
