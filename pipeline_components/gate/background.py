"""What the ledger knows of a run besides its evidence: its look, what woke it, what it has cost.

All of it was recorded once, so judging the run again finds the same.
"""

from __future__ import annotations

from typing import Any

from pipeline_components.context import Context
from pipeline_components.contracts.base import Digest, canonical_json, digest_bytes
from pipeline_components.contracts.looks import Cost
from pipeline_components.contracts.planning import Trigger
from pipeline_components.contracts.requests import EvaluateResult
from pipeline_components.contracts.steps import Component, Order
from pipeline_components.looks.record import looks_until

WORKED: tuple[Component, ...] = ("validate", "prepare", "evaluate")
"""Steps before the gate whose results its order names; train's is in that of evaluate."""


def background(
    order: Order, run_key: Digest, evaluated: EvaluateResult, context: Context
) -> dict[str, Any]:
    """The fields of the gate's request that come from the ledger."""
    ledger = context.ledger
    look, before = looks_until(ledger, order.pipeline.name, run_key)
    run = ledger.run(run_key)
    return {
        "look": look,
        "looks_before": before,
        "trigger": run.trigger if run else Trigger(),
        "costs": _costs(order, evaluated, context),
    }


def _costs(order: Order, evaluated: EvaluateResult, context: Context) -> tuple[Cost, ...]:
    """Of the candidate's own family alone: the others' results are not named here."""
    found = []
    for component in WORKED:
        if component == "evaluate":
            found.append(digest_bytes(canonical_json(evaluated.candidate)))
        found += order.upstream.get(component, ())
    known = (context.ledger.cost(result) for result in found)
    return tuple(cost.model_copy(update={"at": ""}) for cost in known if cost is not None)
