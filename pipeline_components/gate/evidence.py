"""What the checks look at: values read once, or the reason why they could not be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pipeline_components.contracts.requests import GateRequest
from pipeline_components.contracts.verdicts import Comparison

if TYPE_CHECKING:
    from .shown import Shown

Known = TypeVar("Known")


class NotAssessed(Exception):
    """A check could not look; the message is the reason, and it never counts as passed."""


@dataclass(frozen=True)
class Missing:
    """Stands where a value should be."""

    reason: str


@dataclass(frozen=True)
class Losses:
    """Row losses of both models as Arrow columns of equal length."""

    rows: Any
    """uint64 row digests."""
    candidate: Any
    baseline: Any


@dataclass(frozen=True)
class Served:
    """What the clean process found."""

    same: bool
    """Whether it predicted exactly what evaluate published."""
    reason: str
    """A sentence; names no path, no time and no address."""
    rows: int = 0
    """That were predicted; 0 where the model could not be loaded or did not answer."""
    p50_ms: float | None = None
    """Half of the predictions of one row took no longer; measured only where there is a limit."""
    p95_ms: float | None = None
    """95 of 100 did not."""


@dataclass(frozen=True)
class Entities:
    """Who the rows of each table are about, as arrays of uint64 digests."""

    holdout: Any | Missing
    train: Any | Missing
    champion: Any | Missing | None
    """None where there is no champion."""


@dataclass(frozen=True)
class Reads:
    """What the champion reads and predicts."""

    features: dict[str, str]
    """Name → type."""
    target: str | None
    """Type of its target; None where its table has no column of that name."""
    classes: tuple[str, ...] | None
    """Of its training table; None for a regression."""


@dataclass(frozen=True)
class Evidence:
    """Everything a check may look at."""

    request: GateRequest
    losses: Losses | Missing
    holdout_rows: Any | Missing
    """Arrow column of the holdout table's row digests."""
    train_rows: Any | Missing
    champion_rows: Any | Missing | None
    """Row digests of the champion's training table; None where there is no champion."""
    predictions: Any | Missing
    """The candidate's published predictions of the sample: nested lists of numbers."""
    served: Served | Missing
    entities: Entities | Missing = Missing("the entities were not read")
    champion_reads: Reads | Missing | None = Missing("the champion's signature was not read")
    """None where there is no champion."""
    shown: Callable[[], Shown] | None = None
    """Gives what checks of the user's look at; None where the gate names none."""


def known(value: Known | Missing) -> Known:
    """The value.

    Raises
    ------
    NotAssessed
        If it is missing.
    """
    if isinstance(value, Missing):
        raise NotAssessed(value.reason)
    return value


def intention(request: GateRequest) -> Literal["superior_by", "not_worse_than"]:
    """Which of the two the gate declares."""
    return "superior_by" if request.gate.superior_by is not None else "not_worse_than"


def required_gain(request: GateRequest, baseline_score: float) -> float:
    """The gain the interval must lie above, in the metric's unit; negative for not_worse_than."""
    superior, not_worse = request.gate.superior_by, request.gate.not_worse_than
    margin = superior or not_worse
    if margin is None:  # the spec refuses a gate without an intention
        raise NotAssessed("the gate declares neither superior_by nor not_worse_than")
    size = margin.value * abs(baseline_score) if margin.relative else margin.value
    return size if superior is not None else -size


def comparison(request: GateRequest) -> Comparison:
    """Candidate against baseline, with margin and intention as the gate declares them.

    Raises
    ------
    NotAssessed
        If there is none, or it is not the one this gate asks for.
    """
    found = request.evaluated.comparison
    if found is None:
        raise NotAssessed("evaluate could not compare the candidate with its baseline")
    if found.metric != request.metric:
        raise NotAssessed(
            f"evaluate compared {found.metric}, but the gate asks for {request.metric}"
        )
    champion = request.champion
    against = f"champion v{champion.version}" if champion else request.evaluated.baseline
    if found.baseline != against or (champion is None and against.startswith("champion")):
        raise NotAssessed(f"evaluate compared with {found.baseline}, not with {against}")
    return found.model_copy(
        update={
            "margin": abs(required_gain(request, found.baseline_score)),
            "intention": intention(request),
        }
    )
