"""What the ledger knows of a run: its holdout evaluation, its trigger and what it has cost.

All of it was recorded once, so judging the run again finds the same.
"""

from __future__ import annotations

from typing import Any

from everfit.contracts.base import Digest
from everfit.contracts.messages.evaluations import Cost
from everfit.contracts.messages.planning import Trigger
from everfit.contracts.messages.requests import EvaluateResult
from everfit.contracts.messages.steps import Component, Order
from everfit.engine.context import Context
from everfit.ml.holdout_budget.record import evaluations_until

WORKED: tuple[Component, ...] = ("validate", "prepare", "evaluate")
"""Steps before the gate whose results its order names; evaluate names those of every family."""


def ledger_facts(
    order: Order, run_key: Digest, evaluated: EvaluateResult, context: Context
) -> dict[str, Any]:
    """The fields of the gate's request that come from the ledger."""
    ledger = context.ledger
    evaluation, before = evaluations_until(ledger, run_key)
    run = ledger.run(run_key)
    return {
        "holdout_evaluation": evaluation,
        "evaluations_before": before,
        "trigger": run.trigger if run else Trigger(),
        "costs": _costs(order, evaluated, context),
    }


def _costs(order: Order, evaluated: EvaluateResult, context: Context) -> tuple[Cost, ...]:
    found: list[Digest] = []
    for component in WORKED:
        if component == "evaluate":
            found += evaluated.trained.values()
        found += order.upstream.get(component, ())
    known = (context.ledger.cost(result) for result in found)
    return tuple(cost.model_copy(update={"at": ""}) for cost in known if cost is not None)
