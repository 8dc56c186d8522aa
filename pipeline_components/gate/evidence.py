"""What the checks look at: values read once, or the reason why they could not be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pipeline_components.contracts.requests import GateRequest
from pipeline_components.contracts.verdicts import Comparison

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
