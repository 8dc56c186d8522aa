"""``schedule``: a tick of a cron expression is due."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from everfit.contracts.messages.trigger_facts import Evaluated, Facts
from everfit.contracts.spec.cron import check_cron, last_tick, next_tick, numeric_cron
from everfit.contracts.spec.triggers.kind import TriggerKind
from everfit.contracts.wording import moment

if TYPE_CHECKING:
    from everfit.contracts.spec.pipeline import PipelineSpec


class Schedule(TriggerKind):
    """A tick stays due until it is handled; several missed ticks are one."""

    kind: Literal["schedule"] = "schedule"
    cron: str = Field(description="cron expression, in ``triggers.timezone``")

    meaning: ClassVar[str] = "a tick of the cron expression, in ``triggers.timezone``, is due"
    signal: ClassVar[str] = "due"
    bare: ClassVar[str] = "cron"

    @model_validator(mode="after")
    def _is_cron(self) -> Schedule:
        check_cron(self.cron)
        return self

    @property
    def crons(self) -> tuple[str, ...]:
        """The expression, as every cron program reads it."""
        return (numeric_cron(self.cron),)

    def in_words(self, spec: PipelineSpec) -> str:
        """The expression and its zone."""
        return f"a tick of `{self.cron}` ({spec.triggers.timezone}) is due"

    def evaluate(self, spec: PipelineSpec, facts: Facts) -> Evaluated:
        """Fire where the newest tick is later than everything handled so far."""
        zone = spec.triggers.timezone
        handled = facts.handled_until
        tick, after = (find(self.cron, zone, facts.now) for find in (last_tick, next_tick))
        fired = False
        if tick < facts.since:
            because = f"no tick since the first evaluation at {moment(facts.since)}"
        elif handled is not None and handled >= tick:
            because = f"the tick of {moment(tick)} has been handled"
        else:
            fired, because = True, f"the tick of {moment(tick)} is due"
        return Evaluated(
            condition=f"schedule: {self.cron}" + ("" if zone == "UTC" else f" ({zone})"),
            kind=self.kind,
            looked_at="the newest tick, and what has been handled",
            measured=f"newest tick {moment(tick)}, handled up to "
            + (moment(handled) if handled else "nothing yet"),
            fired=fired,
            because=because if fired else f"{because}; the next tick is {moment(after)}",
        )
