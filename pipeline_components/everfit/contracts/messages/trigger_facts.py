"""The facts that triggers are evaluated on, and what the evaluation of one condition says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from everfit.contracts.base import Digest
from everfit.contracts.messages.evaluated import Evaluated

if TYPE_CHECKING:  # these import the spec, whose trigger kinds import this module
    from everfit.contracts.messages.monitoring import Rise
    from everfit.contracts.messages.planning import Trigger


__all__ = ["Evaluated", "Facts", "FinishedRun", "MeasuredSpan", "NewSpan", "SpentEvidence"]


@dataclass(frozen=True)
class NewSpan:
    """A good span that no finished run has in its window or holdout."""

    name: str
    rows: int | None
    """None: not read yet."""


@dataclass(frozen=True)
class MeasuredSpan:
    """A span that monitoring compared with the champion."""

    name: str
    state: Literal["measured", "broken", "too_small"]
    inputs: float
    """Largest score of a significant column that the champion depends on."""
    columns: float
    """Largest score of any significant column."""
    strongest: tuple[str, ...]
    """Names of the columns that have drifted, the most drifted first."""
    rises: tuple[Rise, ...]

    def rise(self, metric: str) -> Rise | None:
        """How a score changed, by labels; an estimate without labels fires nothing."""
        return next((r for r in self.rises if r.metric == metric and not r.estimated), None)


@dataclass(frozen=True)
class SpentEvidence:
    """What a verdict on the present champion has answered: it left the champion where it was."""

    run_key: Digest
    spans: frozenset[str]
    """Names of the measured spans that were there when the run began, or that it took."""


@dataclass(frozen=True)
class FinishedRun:
    """A run that has a verdict."""

    run_key: Digest
    spec: Digest
    code: Digest
    environment: Digest
    began: datetime
    verdict_at: datetime


@dataclass(frozen=True)
class Facts:
    """The world at one moment, as far as triggers ask for it: plain values, no connections."""

    now: datetime
    """Never before anything the ledger holds."""
    clock: datetime
    """What this machine's clock says."""
    since: datetime
    """The first evaluation of the pipeline's triggers there ever was: ticks count from here."""
    trigger: Trigger
    cooldown_requested: bool
    """A person wants the cooldown to hold their own run back, too."""
    resumes: Digest | None
    """An unfinished run that would be continued."""
    new: tuple[NewSpan, ...]
    """In the source's order."""
    champion: int | None
    """Its version."""
    measured: tuple[MeasuredSpan, ...]
    """Spans newer than the champion's, in the source's order."""
    handled_until: datetime | None
    """What happened up to then is handled: it was trained on, or there was nothing to train."""
    failed_attempts: tuple[datetime, ...]
    """Automatic trainings begun since the last verdict that came to none, newest first."""
    finished: tuple[FinishedRun, ...]
    """In the order of their verdicts."""
    opened: tuple[datetime, ...]
    """When runs were begun."""
    spec: Digest
    code: Digest
    environment: Digest
    spent: tuple[SpentEvidence, ...] = ()
    """In the order of the verdicts."""
    only_the_window: frozenset[Digest] = frozenset()
    """Finished runs whose spec differs in nothing but a window that a person asked for."""

    @property
    def last_verdict(self) -> datetime | None:
        """When the newest decision was made."""
        return max((run.verdict_at for run in self.finished), default=None)
