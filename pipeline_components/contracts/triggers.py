"""What may wake a pipeline, as a spec says it, and what holds it back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, ConfigDict, Field, field_validator, model_validator

from .base import Frozen
from .durations import Duration
from .margins import Margin, WrittenMargin
from .quiet import QuietTime, read_quiet

Kind = Literal["schedule", "new_data", "drift", "decay", "code"]
"""The kinds of condition."""

_SO_MANY = re.compile(r"([0-9]{1,2}) of ([0-9]{1,2})")


def so_many(text: str) -> tuple[int, int]:
    """Read ``2 of 3``.

    Raises
    ------
    ValueError
        If it is none.
    """
    match = _SO_MANY.fullmatch(text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise ValueError("so many of the last ones are written 2 of 3")
    return int(match[1]), int(match[2])


def _is_so_many(text: str) -> str:
    so_many(text)
    return text


def _is_cron(text: str) -> str:
    if not is_cron(text):
        raise ValueError(
            "a schedule is five cron fields of numbers: minute hour day month weekday, "
            "as in 0 3 * * 1"
        )
    if _never_is(text):
        raise ValueError("no month it names has such a day")
    return text


Cron = Annotated[str, AfterValidator(_is_cron)]
Of = Annotated[str, AfterValidator(_is_so_many)]


class NewData(Frozen):
    """Enough has arrived since the last run that came to a verdict."""

    min_rows: int = Field(0, ge=0, description="rows of the new spans together, at least")
    min_spans: int = Field(1, ge=1, description="new spans, at least")


class Drift(Frozen):
    """The world has moved away from what the champion learned."""

    model_config = ConfigDict(validate_by_name=True)

    on: Literal["loss_or_inputs", "loss", "inputs", "columns"] = Field(
        "loss_or_inputs",
        description="loss: the champion's loss has risen by ``monitor.worse_by``; inputs: a column "
        "its predictions depend on has drifted; columns: any column has",
    )
    lasting: Of = Field("2 of 3", alias="for", description="so many of the newest evaluations")


class Decay(Frozen):
    """The champion's score on spans it has not seen is worse than when it was judged."""

    model_config = ConfigDict(validate_by_name=True)

    metric: str | None = Field(None, description="default: the gate's")
    worse_by: WrittenMargin = Field(
        Margin(value=0.05, relative=True), description="switches on at this much, ``5%`` or 0.5"
    )
    until: WrittenMargin | None = Field(
        None, description="switches off below this much; default: half of ``worse_by``"
    )
    lasting: Of = Field("2 of 3", alias="for", description="so many of the newest evaluations")

    @property
    def off_below(self) -> Margin:
        """``until``, or its default."""
        return self.until or self.worse_by.model_copy(update={"value": self.worse_by.value / 2})

    @model_validator(mode="after")
    def _off_is_below_on(self) -> Decay:
        same = self.until and self.until.relative == self.worse_by.relative
        if same and self.until and self.until.value > self.worse_by.value:
            raise ValueError("until is at most worse_by: it switches off what worse_by switched on")
        return self


def _is_not_empty(group: tuple[Condition, ...]) -> tuple[Condition, ...]:
    if not group:
        raise ValueError("a group holds at least one condition")
    return group


Group = Annotated[tuple["Condition", ...], AfterValidator(_is_not_empty)]
"""Conditions that are weighed together."""


class Condition(Frozen):
    """One of the fields: a kind of condition, or a group of conditions."""

    schedule: Cron | None = Field(None, description="cron expression, in ``triggers.timezone``")
    new_data: NewData | None = Field(None, description="enough new spans and rows are there")
    drift: Drift | None = Field(None, description="inputs or loss have drifted")
    decay: Decay | None = Field(None, description="the champion has become worse")
    code: Literal[True] | None = Field(
        None, description="spec, components or environment differ from the last run's"
    )
    any: Group | None = Field(None, description="one of them")
    all: Group | None = Field(None, description="all of them")
    some: SomeOf | None = Field(None, description="so many of them; written ``2 of 3: [...]``")

    @model_validator(mode="before")
    @classmethod
    def _so_many_of(cls, value: Any) -> Any:
        return _with_some(value)

    @model_validator(mode="after")
    def _is_one(self) -> Condition:
        if sum(getattr(self, name) is not None for name in _FIELDS) != 1:
            raise ValueError(f"a condition is one of {', '.join(_FIELDS[:-1])} or 2 of 3")
        return self

    @property
    def given(self) -> str | None:
        """The name of the field that is set."""
        return next((name for name in _FIELDS if getattr(self, name) is not None), None)

    @property
    def members(self) -> tuple[Condition, ...]:
        """The conditions of a group; none of another."""
        return self.any or self.all or (self.some.conditions if self.some else ())


class SomeOf(Frozen):
    """So many of several conditions."""

    needed: int = Field(ge=1, description="so many")
    conditions: Group = Field(description="of these")

    @model_validator(mode="after")
    def _can_be(self) -> SomeOf:
        if self.needed > len(self.conditions):
            raise ValueError(f"{self.needed} of {len(self.conditions)} can never hold")
        return self


class Budget(Frozen):
    """How often a pipeline may train of itself."""

    trainings: int = Field(ge=1, description="so many")
    per: Duration = Field(description="in any such stretch of time, ``30d`` say")


class TriggerSpec(Frozen):
    """What wakes the pipeline; plan decides whether there is work."""

    schedule: Cron | None = Field(
        None, description="short for ``any: [{schedule: …}]``; nothing at all: by hand only"
    )
    any: Group | None = Field(None, description="one is enough")
    all: Group | None = Field(None, description="all are needed")
    some: SomeOf | None = Field(None, description="so many are needed; written ``2 of 3: [...]``")
    timezone: str = Field("UTC", description="IANA name, of schedules and quiet times")
    cooldown: Duration | None = Field(
        None, description="this long after a verdict nothing new is trained"
    )
    max_staleness: Duration | None = Field(
        None, description="train at the latest this long after the last verdict, if spans are new"
    )
    quiet: str | None = Field(
        None, description="when not to train: ``Sat-Sun``, ``22:00-06:00``, ``Mon-Fri 08:00-18:00``"
    )
    budget: Budget | None = Field(None, description="trainings that were not asked for by a person")

    @model_validator(mode="before")
    @classmethod
    def _so_many_of(cls, value: Any) -> Any:
        return _with_some(value)

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
    def when(self) -> Condition | None:
        """The whole condition; None: by hand only."""
        if self.schedule is not None:
            return Condition(any=(Condition(schedule=self.schedule),))
        if self.any is not None:
            return Condition(any=self.any)
        if self.all is not None:
            return Condition(all=self.all)
        return Condition(some=self.some) if self.some is not None else None

    @property
    def automatic(self) -> bool:
        """Whether anything but a person may wake the training."""
        return self.when is not None or self.max_staleness is not None

    def conditions(self) -> Iterator[Condition]:
        """Every condition that is no group, in the spec's order."""
        pending = [self.when] if self.when else []
        while pending:
            condition = pending.pop(0)
            if condition.members:
                pending = [*condition.members, *pending]
            else:
                yield condition

    def of_kind(self, kind: Kind) -> list[Any]:
        """The values of every condition of a kind."""
        return [getattr(c, kind) for c in self.conditions() if c.given == kind]

    @property
    def quiet_times(self) -> tuple[QuietTime, ...]:
        """``quiet``, read."""
        return read_quiet(self.quiet) if self.quiet else ()


_FIELDS = (*Kind.__args__, "any", "all", "some")  # type: ignore[attr-defined]


def _with_some(value: Any) -> Any:
    """``2 of 3: [a, b, c]`` as ``some``."""
    if not isinstance(value, dict):
        return value
    keys = [key for key in value if isinstance(key, str) and _SO_MANY.fullmatch(key)]
    if not keys or "some" in value:
        return value
    needed, among = so_many(keys[0])
    members = value[keys[0]]
    if len(keys) > 1 or not isinstance(members, list | tuple) or len(members) != among:
        raise ValueError(f"{keys[0]!r} stands before a list of {among} conditions")
    rest = {key: item for key, item in value.items() if key != keys[0]}
    return {**rest, "some": {"needed": needed, "conditions": members}}


_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
"""Days of each month, at most."""


def _never_is(cron: str) -> bool:
    """Whether the days are too late in every month, as in ``0 0 31 2 *``."""
    _, _, days, months, weekdays = cron.split()
    if days.startswith("*") or not weekdays.startswith("*"):
        return False
    first = min(int(part.split("/")[0].split("-")[0]) for part in days.split(","))
    named = [month for part in months.split(",") for month in _numbers(part, *_CRON_RANGES[3])]
    return all(first > _LONGEST[month - 1] for month in named)


def _numbers(part: str, low: int, high: int) -> range:
    """The numbers that a part of a field names."""
    body, _, step = part.partition("/")
    first, _, last = (body if body != "*" else f"{low}-{high}").partition("-")
    end = int(last) if last else high if step else int(first)
    return range(int(first), end + 1, int(step or 1))


_CRON_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_CRON_PART = re.compile(r"(?:\*|([0-9]{1,2})(?:-([0-9]{1,2}))?)(?:/([0-9]{1,2}))?")


def is_cron(text: str) -> bool:
    """Whether ``text`` is five numeric cron fields, each within its range."""
    fields = text.split()
    if len(fields) != len(_CRON_RANGES):
        return False
    for field, (low, high) in zip(fields, _CRON_RANGES, strict=True):
        for part in field.split(","):
            match = _CRON_PART.fullmatch(part)
            if match is None or (match[3] is not None and int(match[3]) == 0):
                return False
            bounds = [int(number) for number in match.groups()[:2] if number is not None]
            if bounds != sorted(bounds) or any(not low <= number <= high for number in bounds):
                return False
    return True
