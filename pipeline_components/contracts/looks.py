"""Looks at holdouts, which spend from a budget of false promotions, and what steps have cost."""

from __future__ import annotations

from pydantic import Field

from .base import Digest, Frozen
from .steps import Component


class LookedAt(Frozen):
    """A span whose rows a look has judged on."""

    digest: Digest
    rows: int = Field(description="labelled rows of it")
    years: float = Field(
        description="how much time it covers beside the look's spans before it, in years of "
        "365.25 days"
    )
    fresh: bool = Field(description="whether no earlier look of the pipeline was at it")
    new: float = Field(0.0, description="years of it that no earlier look's spans cover")
    start: str | None = Field(None, description="ISO time its time begins; None: not known")
    end: str | None = Field(None, description="ISO time its time ends, exclusive")


class Look(Frozen):
    """One run's look at its holdout; the ledger keeps the first of each run, numbered in a row."""

    run_key: Digest
    sequence: int = Field(description="counts the pipeline's looks from 1, without gaps")
    spans: tuple[LookedAt, ...]
    refilled: float = Field(description="added to the pool for the fresh spans")
    pool: float = Field(description="there before this look spent, with what was added")
    alpha: float = Field(description="spent: the chance of a false promotion; 0: exhausted")
    at: str = ""


class Cost(Frozen):
    """What one step's work has cost, where it was done and not found."""

    result: Digest = Field(description="digest of its result document")
    component: Component
    seconds: float = Field(description="wall seconds")
    cpu_seconds: float = Field(description="of the process and its children")
    peak_mb: float = Field(description="peak resident memory of the process so far, in 10^6 bytes")
    at: str = ""
