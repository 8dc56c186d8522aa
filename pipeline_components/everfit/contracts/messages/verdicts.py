"""Checks and the verdict they end in. A verdict is data, never a crashed task."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from everfit.contracts.base import Frozen
from everfit.contracts.spec.margins import Intention, RequiredGain

CheckState = Literal["passed", "failed", "not_applicable", "not_assessed"]
Severity = Literal["error", "warning", "info"]
VerdictName = Literal["promote", "hold", "reject"]


class Check(Frozen):
    """One question the gate asked. A check that could not look is never ``passed``."""

    code: str = Field(description="stable, upper case, documented in docs/reference/checks.md")
    title: str
    severity: Severity = Field(description="error: must pass before a promotion")
    state: CheckState
    message: str = Field(description="a sentence with the numbers in it")
    flip: str | None = Field(None, description="what would have changed the state")
    forces: Literal["hold", "reject"] | None = Field(
        None, description="the verdict this state forces; None: it stands in no promotion's way"
    )
    values: dict[str, float | int | str | None] = Field(default_factory=dict)


class Estimate(Frozen):
    """A score with its interval."""

    value: float
    low: float
    high: float
    rows: int
    method: str = Field(description="how the interval was computed")


class Bound(Frozen):
    """An interval of the gain at one level.

    Each side misses the true gain with probability ``alpha`` at most.
    """

    alpha: float
    low: float
    high: float


class KnownRows(Frozen):
    """Rows whose predictions by both models are known, and how much of a gain they may cost."""

    rows: int = Field(ge=1, description="of the holdout and of a sample of the window")
    events: float = Field(
        description="as many rows of equal cost would vary as much as these: the number that "
        "carries the spread of what may be lost"
    )
    worst: float = Field(description="the least that one of them may gain; at most 0")
    row_loss: float = Field(
        description="what a row with the candidate's mean loss loses, in the metric's unit"
    )


class Comparison(Frozen):
    """Candidate against baseline on the same rows; ``gain`` is positive where it is better."""

    metric: str
    baseline: str = Field(description="``champion v3`` or the dummy's name")
    candidate_score: float
    baseline_score: float
    gain: Estimate
    margin: float = Field(description="absolute, in the metric's unit")
    intention: Intention
    error: float | None = Field(None, description="standard error of the gain")
    units: int | None = Field(None, description="independent units of rows behind it")
    worst: float = Field(
        0.0,
        description="part in the gain, in the metric's unit, of a bad row such as models of these "
        "predictions may meet, whether or not the holdout has one; at most 0",
    )
    known: KnownRows | None = Field(
        None, description="None without a champion, or where one row cannot cost much"
    )
    bounds: tuple[Bound, ...] = Field(
        (), description="the gain's interval at falling levels, for whatever a look may spend"
    )

    @property
    def required(self) -> RequiredGain:
        """What the gain had to be."""
        return RequiredGain(self.intention, self.margin)
