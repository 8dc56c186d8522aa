"""Whether anything was left to spend on one more look at this holdout, and what was spent."""

from __future__ import annotations

from pipeline_components.contracts.looks import Look
from pipeline_components.contracts.requests import GateRequest
from pipeline_components.looks.policy import rows_to_refill, years_to_refill
from pipeline_components.looks.spend import level_cap
from pipeline_components.looks.words import counted, odds, rounded, time_of
from pipeline_components.report.page import short

from .evidence import Evidence, NotAssessed
from .question import Finding


def budget(evidence: Evidence) -> Finding:
    """A look is recorded, it was at this holdout, and it had something to spend."""
    request = evidence.request
    look = recorded(request)
    spent = sum(one.alpha for one in request.looks_before) + look.alpha
    year = (
        f"{counted(len(request.looks_before) + 1, 'look')} in the last year of data, this one "
        f"included, spent {short(spent)}: so many false promotions are to be expected at most, "
        f"and {short(request.gate.false_promotions)} a year are allowed"
    )
    values: dict[str, float | int | str | None] = {
        "sequence": look.sequence, "alpha": look.alpha, "pool": look.pool,
        "refilled": look.refilled, "looks": len(request.looks_before) + 1, "spent": spent,
        "allowed": request.gate.false_promotions,
    }  # fmt: skip
    if look.alpha > 0:
        return Finding(
            "passed",
            f"This look spends {short(look.alpha)} of the {short(look.pool)} in the pool: "
            f"{odds(look.alpha)} of a false promotion. {year}.",
            values=values,
        )
    rows = rounded(rows_to_refill(request.looks_before, look, request.gate))
    time = time_of(years_to_refill(request.looks_before, look, request.gate))
    values["rows_to_refill"] = rows
    more = f"about {rows:,} new labelled rows ({time} of data)"
    return Finding(
        "failed",
        f"The budget of looks is exhausted: {_why(look)}, and the pool holds {short(look.pool)}, "
        f"too little for one more; {more} would refill it. {year}.",
        flip=f"{more[:1].upper()}{more[1:]}, which would refill the budget of looks",
        values=values,
    )


def recorded(request: GateRequest) -> Look:
    """The run's look at this very holdout.

    Raises
    ------
    NotAssessed
        If none is recorded, or one that the policy cannot have decided.
    """
    look = request.look
    if look is None:
        raise NotAssessed("no look of this run at its holdout is recorded in the ledger")
    if look.run_key != request.run_key:
        raise NotAssessed(f"the look recorded is of run {look.run_key[:12]}, another one")
    judged = {span.digest for span in request.holdout or request.window}
    if {span.digest for span in look.spans} != judged:
        raise NotAssessed("the look recorded is at other spans than this holdout's")
    if not 0 <= look.alpha <= min(look.pool, level_cap(request.gate.confidence)):
        raise NotAssessed(
            f"the look recorded spends {short(look.alpha)}, which no look may with "
            f"{short(look.pool)} in the pool"
        )
    return look


def _why(look: Look) -> str:
    """Why a look has nothing to spend: who has looked before."""
    fresh = [span for span in look.spans if span.fresh]
    many = len(look.spans) > 1
    if not fresh:
        return f"{'these spans were' if many else 'this span was'} looked at before"
    if not look.refilled:
        return f"{counted(len(fresh), 'fresh span')} here cover no time that is new"
    new = time_of(sum(span.new for span in fresh))
    return f"only {new} of what is looked at here are new"
