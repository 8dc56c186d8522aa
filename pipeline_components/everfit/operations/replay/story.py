"""What happened in a replay, and what it comes to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from everfit.contracts.base import Frozen
from everfit.contracts.spec.triggers.kinds import KINDS

Ending = Literal["promote", "hold", "reject"]


@dataclass(frozen=True)
class Training:
    """A wake that trained."""

    at: datetime
    fired: tuple[str, ...]
    """Kinds of the conditions that had fired."""
    because: str
    verdict: Ending
    champion: int | None
    """Version of the champion afterwards."""


@dataclass(frozen=True)
class Served:
    """A span, and how its champion did on it."""

    name: str
    at: datetime
    lasts: timedelta
    """Until the next span, or as long as its period."""
    champion: int
    rows: int
    score: float | None
    """Of the gate's metric; None where it could not be measured."""
    degraded: bool | None
    """Surely worse than attainable, and by ``monitor.worse_by``; None: not measured."""


class Summary(Frozen):
    """One policy in one line."""

    policy: str
    trainings: int
    triggered_by: dict[str, int]
    """Kind of condition → trainings it had fired for."""
    promotions: int
    held_or_rejected: int
    false_alarms: int
    """Trainings for drift or decay alone that did not end in a promotion."""
    days: float
    degraded_days: float
    """Days in which the serving champion was surely worse than attainable."""
    unmeasured_days: float
    """Days of spans that no champion was evaluated on."""
    metric: str
    served: float | None
    """The serving champions' score over all spans, weighted by rows."""
    waits: int
    """Looks at which a condition had fired and was held back."""

    @property
    def degraded_share(self) -> float:
        """Part of the time measured that was spent degraded."""
        measured = self.days - self.unmeasured_days
        return self.degraded_days / measured if measured > 0 else 0.0


@dataclass
class Story:
    """One policy, replayed."""

    policy: str
    metric: str
    since: datetime
    until: datetime
    trainings: list[Training]
    served: list[Served]
    waits: int = 0

    def summary(self) -> Summary:
        """Count."""
        fired: dict[str, int] = {}
        for training in self.trainings:
            for kind in training.fired:
                fired[kind] = fired.get(kind, 0) + 1
        promoted = sum(training.verdict == "promote" for training in self.trainings)
        scored = [one for one in self.served if one.score is not None]
        rows = sum(one.rows for one in scored)
        return Summary(
            policy=self.policy,
            trainings=len(self.trainings),
            triggered_by=dict(sorted(fired.items())),
            promotions=promoted,
            held_or_rejected=len(self.trainings) - promoted,
            false_alarms=sum(map(_is_false_alarm, self.trainings)),
            days=(self.until - self.since) / timedelta(days=1),
            degraded_days=_days(one.lasts for one in self.served if one.degraded),
            unmeasured_days=_days(one.lasts for one in self.served if one.degraded is None),
            metric=self.metric,
            served=sum((one.score or 0.0) * one.rows for one in scored) / rows if rows else None,
            waits=self.waits,
        )


def _is_false_alarm(training: Training) -> bool:
    alarms = {name for name, kind in KINDS.items() if kind.reads_monitoring}
    return bool(training.fired) and set(training.fired) <= alarms and training.verdict != "promote"


def _days(lengths: object) -> float:
    total = sum(lengths, timedelta())  # type: ignore[call-overload]
    return float(total / timedelta(days=1))
