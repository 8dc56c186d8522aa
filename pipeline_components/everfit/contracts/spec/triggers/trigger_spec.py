"""``triggers``: what wakes a pipeline, and what holds its training back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from everfit.contracts.base import Frozen
from everfit.contracts.spec.cron import Cron
from everfit.contracts.spec.durations import Duration
from everfit.contracts.spec.quiet_times import QuietTime, read_quiet
from everfit.contracts.spec.triggers.conditions import (
    AllOf,
    AnyOf,
    Group,
    GroupOf,
    SomeOf,
    leaves,
    read_some,
)
from everfit.contracts.spec.triggers.kind import TriggerKind
from everfit.contracts.spec.triggers.kinds.schedule import Schedule


class Budget(Frozen):
    """How often a pipeline may train by itself."""

    trainings: int = Field(ge=1, description="most trainings")
    per: Duration = Field(description="in any period of this length, such as ``30d``")


class TriggerSpec(Frozen):
    """What wakes the pipeline; plan decides whether there is work."""

    schedule: Cron | None = Field(
        None, description="short for ``any: [{schedule: …}]``; no triggers at all: by hand only"
    )
    any: Group | None = Field(None, description="one of these conditions is enough")
    all: Group | None = Field(None, description="all of these conditions are needed")
    some: SomeOf | None = Field(
        None,
        description="at least this many of these conditions are needed; written ``2 of 3: [...]``",
    )
    timezone: str = Field("UTC", description="IANA name, of schedules and quiet times")
    cooldown: Duration | None = Field(
        None, description="after a verdict, start no new training for this long"
    )
    max_staleness: Duration | None = Field(
        None,
        description="train at the latest this long after the last verdict, if there are new spans",
    )
    quiet: str | None = Field(
        None, description="when not to train: ``Sat-Sun``, ``22:00-06:00``, ``Mon-Fri 08:00-18:00``"
    )
    budget: Budget | None = Field(
        None,
        description="most trainings in a period; a person's count too, and are never held back",
    )

    @model_validator(mode="before")
    @classmethod
    def _so_many_of(cls, value: Any) -> Any:
        return read_some(value)

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("a timezone is an IANA name such as Europe/Berlin") from None
        return name

    @field_validator("quiet")
    @classmethod
    def _is_quiet(cls, text: str | None) -> str | None:
        if text is not None:
            read_quiet(text)
        return text

    @model_validator(mode="after")
    def _is_one_group(self) -> TriggerSpec:
        groups = [n for n in ("schedule", "any", "all", "some") if getattr(self, n) is not None]
        if len(groups) > 1:
            raise ValueError(f"conditions stand in one group, not in {' and '.join(groups)}")
        return self

    @property
    def when(self) -> GroupOf | None:
        """The whole condition; None: by hand only."""
        if self.schedule is not None:
            return AnyOf(conditions=(Schedule(cron=self.schedule),))
        if self.any is not None:
            return AnyOf(conditions=self.any)
        if self.all is not None:
            return AllOf(conditions=self.all)
        return self.some

    @property
    def automatic(self) -> bool:
        """Whether anything but a person may start a training."""
        return self.when is not None or self.max_staleness is not None

    def conditions(self) -> Iterator[TriggerKind]:
        """Every condition that is no group, in the spec's order."""
        when = self.when
        return leaves(when.conditions if when else ())

    @property
    def crons(self) -> tuple[str, ...]:
        """The cron expressions by which Airflow starts a run, each once."""
        return tuple(dict.fromkeys(cron for one in self.conditions() for cron in one.crons))

    @property
    def quiet_times(self) -> tuple[QuietTime, ...]:
        """``quiet``, read."""
        return read_quiet(self.quiet) if self.quiet else ()
