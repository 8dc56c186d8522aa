"""Policy and decision together: what one wake, or one sweep, comes to."""

from __future__ import annotations

from datetime import datetime

from pipeline_components.clock import Clock, moment
from pipeline_components.contracts.base import Digest
from pipeline_components.contracts.notices import News
from pipeline_components.contracts.planning import PERSON, PlanRequest, PlanResult
from pipeline_components.contracts.spec import PipelineSpec
from pipeline_components.contracts.triggers import TriggerSpec
from pipeline_components.ledger import Ledger
from pipeline_components.ledger.records import EvaluationRecord

from .decide import decide
from .facts import Facts, gather
from .policy import Judged, evaluate
from .words import at
from .world import World, sort_spans


def judge(request: PlanRequest, world: World, ledger: Ledger, clock: Clock) -> PlanResult:
    """What the wake comes to, with every condition looked at.

    Parameters
    ----------
    request : PlanRequest
        A sweep is judged as the wake it would ring would be.
    world : World
    ledger : Ledger
        Read, not written.
    clock : callable
        What the time is.
    """
    if request.sweep:
        woken = request.trigger.model_copy(update={"run_type": "asset", "due": ""})
        request = request.model_copy(update={"trigger": woken, "force": False})
    spec = request.pipeline
    planned = decide(spec, world, request.force)
    person = request.trigger.run_type in PERSON
    if person and not says_anything(spec.triggers):
        return planned
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
    """The unfinished run that the plan goes on with."""
    if planned.decision != "train" or planned.run_key is None:
        return None
    past = world.find_run(planned.run_key)
    return planned.run_key if past is not None and past.unfinished else None


def _too_late(spec: PipelineSpec, facts: Facts) -> str:
    """Why a run that makes up for the past does nothing; it can never promote."""
    if facts.trigger.run_type == "backfill":
        return "a backfill trains nothing: what is champion now is decided by today's spans"
    due = moment(facts.trigger.due)
    if facts.trigger.run_type != "scheduled" or due is None:
        return ""
    newer = _newer_tick(spec, facts, due)
    if newer is None:
        return ""
    return f"it was due at {at(due)}, and a newer tick, {at(newer)}, has followed: that one counts"


def _newer_tick(spec: PipelineSpec, facts: Facts, due: datetime) -> datetime | None:
    from .schedule import last_tick

    zone = spec.triggers.timezone
    ticks = (last_tick(cron, zone, facts.now) for cron in spec.triggers.of_kind("schedule"))
    return max((tick for tick in ticks if tick is not None and tick > due), default=None)


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
    """That the pipeline is stale and nothing is done about it; told by the first such sweep."""
    if not judged.stale or result.decision == "train":
        return ()
    before = next((e for e in ledger.evaluations(name, 20) if e.stage == "sweep"), None)
    if before is not None and before.decision != "train" and _was_stale(before):
        return ()
    (stale,) = (one for one in judged.conditions if one.kind == "staleness")
    return (News(kind="stale", what=f"{name} is stale: {stale.because}", why=result.because),)


def _was_stale(sweep: EvaluationRecord) -> bool:
    return any(one.kind == "staleness" and one.fired for one in sweep.conditions)
