"""Request and result of plan, apart from the others: a run with nothing to do needs no more."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .artifacts import Artifact
from .base import Digest, Frozen
from .spans import SpanRef
from .spec import PipelineSpec


class ChampionRef(Frozen):
    """The champion a run is compared with, pinned when it was planned."""

    version: int
    run_key: Digest
    model: Artifact
    train: Artifact = Field(description="its training table; holds the digest of every row it saw")
    features: tuple[str, ...] = Field((), description="the columns its model reads")
    window: tuple[Digest, ...] = Field(description="digests of the spans it was trained on")
    sequence: int = Field(description="position in the promotion journal")


class PlanRequest(Frozen):
    """What plan is asked; it reads the world, so it is never cached."""

    pipeline: PipelineSpec
    force: bool = False


class PlanResult(Frozen):
    """The spans of one run, decided. Holds nothing that differs between machines or wakes."""

    decision: Literal["train", "skip"]
    because: str = Field(description="a sentence")
    window: tuple[SpanRef, ...] = Field(description="spans to train on, oldest first")
    holdout: tuple[SpanRef, ...] = Field(description="spans to judge on; empty if row-wise")
    champion: ChampionRef | None
    code: Digest
    environment: Digest
    run_key: Digest | None = Field(None, description="where every span is already known")
    detectable: str | None = Field(None, description="what the holdout can tell, where known")
    notes: tuple[str, ...] = Field((), description="spans left out, and why")
