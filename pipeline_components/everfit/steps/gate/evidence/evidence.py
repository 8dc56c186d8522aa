"""What gate checks assess: values read once, or the reason why they could not be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from everfit.contracts.messages.requests import GateRequest
from everfit.steps.gate.evidence.candidate import Candidate
from everfit.steps.gate.finding import NotAssessed

Known = TypeVar("Known")


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
    weight: Any = None
    """How much each row counts; None: all the same."""


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
class Delivery:
    """What the rows of both tables are compared by, as Arrow columns."""

    holdout: Any
    """uint64 digests of each row, or of what a model sees of it and of its target."""
    train: Any
    piece: Any
    """Which part of the window each training row is from."""


@dataclass(frozen=True)
class Identities:
    """Who the rows of each table are about, or what names them, as arrays of uint64 digests."""

    holdout: Any | Missing
    train: Any | Missing
    champion: Any | Missing | None
    """None where there is no champion."""


@dataclass(frozen=True)
class Times:
    """The times of the rows of each table that have one, as Arrow arrays of numbers."""

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
    """Everything that a gate check may assess."""

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
    entities: Identities | Missing = Missing("the entities were not read")
    keys: Identities | Missing = Missing("the keys were not read")
    """Digests are 0 where nothing names a row."""
    times: Times | Missing = Missing("the times were not read")
    delivery: Delivery | Missing = Missing("what the rows are compared by was not read")
    champion_delivery: Delivery | Missing | None = Missing("the champion's rows were not read")
    """The holdout's and the champion's rows by their whole content; None without a champion."""
    champion_reads: Reads | Missing | None = Missing("the champion's signature was not read")
    """None where there is no champion."""
    candidate: Callable[[], Candidate] | None = None
    """Gives what the user's own checks are called with; None where the gate names none."""


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


def shared(holdout: Any, seen: Any) -> int:
    """How many values of one Arrow column are in another."""
    import pyarrow.compute as pc

    return int(pc.sum(pc.is_in(holdout, value_set=seen)).as_py() or 0)
