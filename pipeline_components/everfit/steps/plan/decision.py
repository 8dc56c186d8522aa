"""The decision: what one run, or one sweep, comes to, by the spans and by the policy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from everfit.contracts.base import Digest
from everfit.contracts.clock import Clock
from everfit.contracts.clock import moment as parsed
from everfit.contracts.messages.planning import PlanRequest, PlanResult
from everfit.contracts.messages.trigger_facts import Evaluated, Facts
from everfit.contracts.spec.cron import last_tick
from everfit.contracts.spec.notices import News
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.spec.triggers import TriggerSpec
from everfit.contracts.spec.triggers.kinds import STALENESS
from everfit.contracts.wording import moment
from everfit.steps.plan.facts.gather import gather
from everfit.steps.plan.facts.world import World, sort_spans
from everfit.steps.plan.forecast import Forecast
from everfit.steps.plan.policy import Judged, evaluate
from everfit.steps.plan.train_or_skip import train_or_skip
from everfit.storage.ledger import Ledger
from everfit.storage.ledger.records import EvaluationRecord

Foresee = Callable[[PlanResult, Facts | None], Forecast]
"""What a planned run could come to."""


def decide(
    request: PlanRequest,
    world: World,
    ledger: Ledger,
    clock: Clock,
    foresee: Foresee = lambda _planned, _facts: Forecast(),
) -> PlanResult:
    """What the run comes to, with every condition evaluated.

    Parameters
    ----------
    request : PlanRequest
        A sweep is judged as the run that it would start.
    world : World
    ledger : Ledger
        Read, not written.
    clock : callable
        What the time is.
    foresee : callable
        Asked about a run that would train.
    """
    if request.sweep:
        trigger = request.trigger.model_copy(update={"run_type": "asset", "due": ""})
        request = request.model_copy(update={"trigger": trigger, "force": False})
    spec = request.pipeline
    planned = train_or_skip(spec, world, request.force)
    person = request.trigger.by_a_person
    if person and not says_anything(spec.triggers):
        return (
            _foretold(planned, foresee(planned, None)) if planned.decision == "train" else planned
        )
    resumes = _resumes(planned, world)
    facts = gather(request, world, sort_spans(world), resumes, ledger, clock)
    judged = evaluate(spec, facts)
    late = _too_late(spec, facts)
    if late:
        return _instead(planned, judged, "skip", late)
    if judged.decision != "go":
        result = _instead(planned, judged, judged.decision, judged.because)
    else:
        because = planned.because
        if judged.because and not person:
            because = f"{judged.because}; {because}"
        result = planned.model_copy(update={"because": because, "conditions": judged.conditions})
    if result.decision == "train":
        expected = foresee(result, facts)
        if expected.must_hold and not person and resumes is None:
            result = _held(result, judged, expected)
        else:
            result = _foretold(result, expected)
    if request.sweep:
        update: dict[str, object] = {"news": _news(spec.name, ledger, judged, result)}
        if result.decision == "train":
            update["signals"] = judged.signals
        result = result.model_copy(update=update)
    return result


def says_anything(triggers: TriggerSpec) -> bool:
    """Whether there is a condition or anything that holds back."""
    return triggers != TriggerSpec(timezone=triggers.timezone)


def _resumes(planned: PlanResult, world: World) -> Digest | None:
    """The unfinished run that the plan continues."""
    if planned.decision != "train" or planned.run_key is None:
        return None
    past = world.find_run(planned.run_key)
    return planned.run_key if past is not None and past.unfinished else None


def _too_late(spec: PipelineSpec, facts: Facts) -> str:
    """Why a run that makes up for the past does nothing; it can never promote."""
    if facts.trigger.run_type == "backfill":
        return "a backfill trains nothing: what is champion now is decided by today's spans"
    due = parsed(facts.trigger.due)
    if facts.trigger.run_type != "scheduled" or due is None:
        return ""
    newer = _newer_tick(spec, facts, due)
    if newer is None:
        return ""
    return (
        f"it was due at {moment(due)}, and a newer tick, {moment(newer)}, has followed: "
        "only the newest counts"
    )


def _newer_tick(spec: PipelineSpec, facts: Facts, due: datetime) -> datetime | None:
    zone = spec.triggers.timezone
    ticks = (last_tick(cron, zone, facts.now) for cron in spec.triggers.crons)
    return max((tick for tick in ticks if tick > due), default=None)


def _foretold(planned: PlanResult, expected: Forecast) -> PlanResult:
    return planned.model_copy(update={"detectable": expected.told})


def _held(result: PlanResult, judged: Judged, expected: Forecast) -> PlanResult:
    """Wait: a run that must end in hold would spend a training on nothing."""
    hopeless = Evaluated(
        condition="holdout: may promote",
        kind="holdout",
        looked_at="the evaluation budget, earlier comparisons and what monitoring measured",
        measured=expected.told or "no comparison yet",
        fired=True,
        because=f"a run would have to end in hold: {expected.must_hold}",
    )
    waiting = f"{judged.because}, but it waits: {hopeless.because}"
    return _instead(
        result.model_copy(update={"detectable": expected.told}),
        replace(judged, conditions=(*judged.conditions, hopeless)),
        "wait",
        waiting,
    )


def _instead(planned: PlanResult, judged: Judged, decision: str, because: str) -> PlanResult:
    """The plan's result where it trains nothing."""
    return planned.model_copy(
        update={
            "decision": decision,
            "because": because,
            "window": (),
            "holdout": (),
            "run_key": None,
            "conditions": judged.conditions,
        }
    )


def _news(name: str, ledger: Ledger, judged: Judged, result: PlanResult) -> tuple[News, ...]:
    """That the pipeline is stale and nothing is done about it; from the first such sweep alone."""
    if not judged.stale or result.decision == "train":
        return ()
    before = next((e for e in ledger.evaluations(name, 20) if e.stage == "sweep"), None)
    if before is not None and before.decision != "train" and _was_stale(before):
        return ()
    (stale,) = (one for one in judged.conditions if one.kind == STALENESS)
    return (News(kind="stale", what=f"{name} is stale: {stale.because}", why=result.because),)


def _was_stale(sweep: EvaluationRecord) -> bool:
    return any(one.kind == STALENESS and one.fired for one in sweep.conditions)
