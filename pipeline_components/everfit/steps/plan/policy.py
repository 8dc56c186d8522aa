"""The policy: from the triggers and the facts to go, wait or idle. A function of its arguments.

The conditions themselves are trigger kinds, a file each in ``contracts/spec/triggers/kinds``; here
they are combined (any, all, k of n), ``max_staleness`` is added, and ``holding_back`` is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from everfit.contracts.errors import shortlist
from everfit.contracts.messages.planning import Signal
from everfit.contracts.messages.trigger_facts import Evaluated, Facts
from everfit.contracts.spec.durations import duration
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.spec.triggers.conditions import Condition
from everfit.contracts.spec.triggers.kind import TriggerKind
from everfit.contracts.spec.triggers.kinds import DUE, KINDS, STALENESS
from everfit.contracts.wording import duration as length
from everfit.steps.plan.holding_back import what_may_hold_back

CLOCK_BEHIND = timedelta(minutes=5)


@dataclass(frozen=True)
class Judged:
    """What the triggers come to."""

    decision: Literal["go", "wait", "idle"]
    because: str
    """A sentence: what fired, and what holds it back; empty where a person just goes."""
    conditions: tuple[Evaluated, ...]
    """Every condition in the spec's order, then staleness, then what may hold back."""
    signals: tuple[Signal, ...]
    """What the training would be woken for."""
    stale: bool
    """The pipeline is older than its ``max_staleness``."""


def evaluate(spec: PipelineSpec, facts: Facts) -> Judged:
    """Judge by the triggers whether a training may go.

    Parameters
    ----------
    spec : PipelineSpec
        Of which triggers, the monitor's thresholds and the primary metric are read.
    facts : Facts
        The world at one moment.

    Returns
    -------
    Judged
        A person's run goes whatever the conditions say; an unfinished run is continued.
    """
    triggers = spec.triggers
    found: list[Evaluated] = []
    holds = _holds(triggers.when, spec, facts, found) if triggers.when else False
    stale = False
    if triggers.max_staleness:
        found.append(staleness(triggers.max_staleness, facts))
        stale = found[-1].fired
    wanted = holds or stale or facts.trigger.by_a_person or facts.resumes is not None
    held = what_may_hold_back(triggers, facts, stale) if wanted else []
    fired = [one for one in found if one.fired]
    holding = [one for one in held if one.fired]
    signals: dict[Signal, None] = {}
    if holds or stale:
        signals = dict.fromkeys(_signal(one) for one in fired)
    if facts.resumes is not None:
        signals[DUE] = None
    what = "; ".join(f"{one.kind}: {one.because}" for one in fired) if holds or stale else ""
    if facts.resumes is not None:
        what = f"run {facts.resumes[:12]} is unfinished: still running, or interrupted"
    decision: Literal["go", "wait", "idle"] = "go"
    if not wanted:
        decision, because = "idle", _why_idle(found)
    elif holding:
        decision = "wait"
        held_by = "; ".join(f"{one.condition}, {one.because}" for one in holding)
        because = f"{what}, but it is held back by {held_by}" if what else f"held back by {held_by}"
    else:
        because = what
    behind = facts.now - facts.clock
    if behind > CLOCK_BEHIND:
        late = length(behind.total_seconds())
        because += f" (this machine's clock is {late} behind the ledger's)"
    return Judged(decision, because, (*found, *held), tuple(signals), stale)


def staleness(limit: str, facts: Facts) -> Evaluated:
    """``max_staleness``: the last verdict or, without one, the first evaluation is too long ago."""
    last = facts.last_verdict
    age = max(facts.now - (last or facts.since), timedelta(0))
    old = length(age.total_seconds() // 60 * 60)
    because = f"the last verdict is {old} old"
    if last is None:
        because = f"no verdict in {old} since the first evaluation"
    return Evaluated(
        condition=f"max_staleness: {limit}",
        kind=STALENESS,
        looked_at="the newest verdict" if last else "the first evaluation of the pipeline",
        measured=f"{old} old",
        fired=age >= duration(limit),
        because=f"{because}, the limit is {limit}",
    )


def _holds(condition: Condition, spec: PipelineSpec, facts: Facts, found: list[Evaluated]) -> bool:
    """Whether a condition holds; every one of a group is evaluated, also where one would do."""
    if isinstance(condition, TriggerKind):
        found.append(condition.evaluate(spec, facts))
        return found[-1].fired
    return condition.holds([_holds(one, spec, facts, found) for one in condition.conditions])


def _signal(one: Evaluated) -> Signal:
    return DUE if one.kind == STALENESS else KINDS[one.kind].signal


def _why_idle(found: list[Evaluated]) -> str:
    if not found:
        return "the pipeline has no triggers: a person starts it"
    fired = [one.kind for one in found if one.fired]
    if fired:
        missing = [one.kind for one in found if not one.fired and one.kind != STALENESS]
        return f"not enough has fired: {shortlist(fired)} did, {shortlist(missing)} did not"
    return "; ".join(f"{one.kind}: {one.because}" for one in found)
