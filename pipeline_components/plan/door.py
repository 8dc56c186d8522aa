"""Plan's door: reads source and ledger, records every wake, and stops where nothing is to do."""

from __future__ import annotations

import logging
from functools import partial

from pipeline_components.champion.current import current_champion
from pipeline_components.context import Context
from pipeline_components.contracts.errors import NothingToDo
from pipeline_components.contracts.planning import PlanRequest, PlanResult
from pipeline_components.contracts.rules import rules_digest
from pipeline_components.contracts.steps import Order
from pipeline_components.door import Telling, Upstream
from pipeline_components.identity import code_digest, environment_digest, own_checks
from pipeline_components.ledger.records import EvaluationRecord
from pipeline_components.source import list_spans
from pipeline_components.source.reader import reader_digest

from .judge import judge
from .past import find_run
from .world import World, sort_spans

log = logging.getLogger(__name__)

RESULT = PlanResult
CACHED = False


def request(order: Order, upstream: Upstream, context: Context) -> PlanRequest:  # noqa: ARG001
    """The spec with the wishes of this run in place of its values."""
    return PlanRequest(
        pipeline=order.wished,
        force=order.wishes.force,
        sweep=order.sweep,
        trigger=order.trigger,
        cooldown=order.wishes.cooldown,
    )


def run(request: PlanRequest, context: Context) -> PlanResult:
    """Look at source, ledger, triggers and clock, and decide."""
    spec, ledger = request.pipeline, context.ledger
    reader = reader_digest(spec.source, spec.curated, spec.time)
    world = World(
        listing=context.visible(list_spans(spec.source, context.settings)),
        records=[record for record in ledger.spans(spec.name) if record.reader == reader],
        quarantined=ledger.quarantined(spec.name, rules_digest(spec)),
        champion=current_champion(ledger, spec.name),
        find_run=partial(find_run, ledger, spec.name),
        code=code_digest(),
        environment=environment_digest(),
        own_checks=own_checks(spec.gate.checks),
    )
    result = judge(request, world, ledger, context.clock)
    if result.decision == "train":
        from .forecast import forecast

        told = forecast(spec, result, sort_spans(world).known, ledger, context.store)
        result = result.model_copy(update={"detectable": told})
    log.info("%s plan: %s; %s", spec.name, result.decision, result.because)
    if result.detectable:
        log.info("%s plan: %s", spec.name, result.detectable)
    for note in result.notes:
        log.info("%s plan: %s", spec.name, note)
    return result


def settle(request: PlanRequest, result: PlanResult, context: Context, order: Order) -> None:
    """Record the wake, or the sweep, and what came of it.

    Raises
    ------
    NothingToDo
        If a wake is not to train; a sweep only says so.
    """
    name = request.pipeline.name
    context.ledger.record_evaluation(
        name,
        EvaluationRecord(
            trigger=order.trigger,
            decision=result.decision,
            because=result.because,
            run_key=result.run_key,
            stage="sweep" if request.sweep else "wake",
            conditions=result.conditions,
        ),
    )
    if request.sweep or result.decision == "train":
        return
    if result.decision == "wait":
        raise NothingToDo("PLAN-WAIT", name, result.because)
    if result.decision == "idle":
        raise NothingToDo("PLAN-IDLE", name, result.because)
    raise NothingToDo("PLAN-SKIP", name, result.because)


def tell(result: PlanResult, context: Context) -> Telling:  # noqa: ARG001
    """The counts, the reason and what was left out."""
    summary: dict[str, object] = {
        "decision": result.decision,
        "window": len(result.window),
        "holdout": len(result.holdout),
        "left_out": len(result.notes),
        "because": result.because,
    }
    if result.run_key is not None:
        summary["run_key"] = result.run_key[:12]
    if result.detectable:
        summary["detectable"] = result.detectable
    if result.signals:
        summary["wakes"] = ", ".join(result.signals)
    return Telling(summary=summary, signals=result.signals, news=result.news)
