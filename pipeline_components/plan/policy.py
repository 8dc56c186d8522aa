"""The policy: from the triggers and the facts to go, wait or idle. A function of its arguments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from pipeline_components.contracts.errors import shortlist
from pipeline_components.contracts.planning import Evaluated, Signal
from pipeline_components.contracts.spec import PipelineSpec
from pipeline_components.contracts.triggers import Condition

from .conditions import look_at, staleness
from .facts import Facts
from .holding_back import holders
from .words import long

CLOCK_BEHIND = timedelta(minutes=5)

_SIGNALS: dict[str, Signal] = {
    "new_data": "new_data", "drift": "drift", "decay": "decay", "code": "code",
    "schedule": "due", "staleness": "due",
}  # fmt: skip


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
        A person's run goes whatever the conditions say; an unfinished run is gone on with.
    """
    triggers = spec.triggers
    looked: list[Evaluated] = []
    holds = _holds(triggers.when, spec, facts, looked) if triggers.when else False
    stale = False
    if triggers.max_staleness:
        old = staleness(triggers.max_staleness, facts)
        looked.append(old)
        stale = old.fired
    wanted = holds or stale or facts.by_a_person or facts.resumes is not None
    held = holders(triggers, facts, stale) if wanted else []
    conditions = (*looked, *held)
    fired = [one for one in looked if one.fired]
    holding = [one for one in held if one.fired]
    signals: dict[Signal, None] = {}
    if holds or stale:
        signals = dict.fromkeys(_SIGNALS[one.kind] for one in fired)
    if facts.resumes is not None:
        signals["due"] = None
    what = _what(fired) if holds or stale else ""
    if facts.resumes is not None:
        what = f"run {facts.resumes[:12]} is unfinished (still at work, or cut off)"
    decision: Literal["go", "wait", "idle"] = "go"
    if not wanted:
        decision, because = "idle", _why_idle(looked)
    elif holding:
        decision = "wait"
        held_by = "; ".join(f"{one.condition}, {one.because}" for one in holding)
        because = f"{what}, but it is held back by {held_by}" if what else f"held back by {held_by}"
    else:
        because = what
    behind = facts.now - facts.clock
    if behind > CLOCK_BEHIND:
        because += f" (this machine's clock is {long(behind)} behind the ledger's)"
    return Judged(decision, because, conditions, tuple(signals), stale)


def _holds(condition: Condition, spec: PipelineSpec, facts: Facts, looked: list[Evaluated]) -> bool:
    """Whether a condition holds; every one of a group is looked at, also where one would do."""
    if not condition.members:
        found = look_at(condition, spec, facts)
        looked.append(found)
        return found.fired
    held = [_holds(member, spec, facts, looked) for member in condition.members]
    if condition.any is not None:
        return any(held)
    if condition.some is not None:
        return sum(held) >= condition.some.needed
    return all(held)


def _what(fired: list[Evaluated]) -> str:
    return "; ".join(f"{one.kind}: {one.because}" for one in fired)


def _why_idle(looked: list[Evaluated]) -> str:
    if not looked:
        return "the pipeline has no triggers: a person starts it"
    fired = [one.kind for one in looked if one.fired]
    if fired:
        missing = [one.kind for one in looked if not one.fired and one.kind != "staleness"]
        return f"not enough has fired: {shortlist(fired)} did, {shortlist(missing)} did not"
    return "; ".join(f"{one.kind}: {one.because}" for one in looked)
