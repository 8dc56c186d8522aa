"""Request and result of plan, apart from the others: a run with nothing to do needs no more."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from everfit.contracts.base import Digest, Frozen
from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.evaluated import Evaluated
from everfit.contracts.messages.evidence import ImportanceGroup
from everfit.contracts.messages.spans import SpanRef
from everfit.contracts.spec.notices import News
from everfit.contracts.spec.pipeline import PipelineSpec

Decision = Literal["train", "skip", "wait", "idle"]
"""Train; nothing to train (skip); a trigger fired but is held back (wait); none fired (idle)."""

RunType = Literal["manual", "scheduled", "asset", "backfill", "cli", "refit"]
"""What triggered a run; ``refit``: the promotion of a run whose settings are fitted once more."""

PERSON: frozenset[RunType] = frozenset({"manual", "cli"})
"""Runs that a person asked for: no condition has to hold."""

Signal = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
"""What the training DAG can be woken for: a trigger kind, or ``due``, for the clock, staleness and
what is unfinished (``spec.triggers.kinds.SIGNALS``)."""


class Trigger(Frozen):
    """Who or what triggered the run; recorded, and in no key."""

    run_type: RunType = "cli"
    reason: str = Field("", max_length=500)
    run_id: str = ""
    due: str = Field("", description="ISO time a scheduled run was due at")
    person: str = Field(
        "", max_length=100, description="who started it, by their login; empty where nobody did"
    )

    @property
    def by_a_person(self) -> bool:
        """Whether somebody asked for the run: no condition has to hold."""
        return self.run_type in PERSON

    @property
    def is_refit(self) -> bool:
        """Whether the run is a refit of the one before it: no training of its own."""
        return self.run_type == "refit"


class ChampionRef(Frozen):
    """The champion a run is compared with, pinned when it was planned."""

    version: int
    run_key: Digest
    model: Artifact
    train: Artifact = Field(description="its training table; holds the digest of every row it saw")
    features: tuple[str, ...] = Field((), description="the columns its model reads")
    window: tuple[Digest, ...] = Field(description="digests of the spans it was trained on")
    sequence: int = Field(description="position in the promotion journal")
    holdout: tuple[Digest, ...] = Field((), description="digests of the spans it was judged on")
    scores: dict[str, float] = Field(
        default_factory=dict, description="metric → score on its own holdout"
    )
    losses: Artifact | None = Field(
        None, description="row losses on its own holdout, as ``EvaluateResult.losses``"
    )
    importances: dict[str, float] = Field(
        default_factory=dict, description="feature → permutation importance"
    )
    importance_groups: tuple[ImportanceGroup, ...] = Field(
        (), description="of features shuffled together, as ``EvaluateResult.importance_groups``"
    )
    signature: dict[str, str] = Field(
        default_factory=dict, description="feature → type it was trained on"
    )
    weight: str | None = Field(
        None,
        exclude_if=lambda weight: weight is None,
        description="of a row when it was judged, as the spec had it",
    )


class PlanRequest(Frozen):
    """What plan is asked; it reads the world, so it is never cached."""

    pipeline: PipelineSpec
    force: bool = False
    sweep: bool = Field(False, description="only say what a wake would come to")
    trigger: Trigger = Trigger()
    cooldown: bool = Field(False, description="the cooldown holds a person's run back too")


class PlanResult(Frozen):
    """The spans of one run, decided. Holds nothing that differs between machines."""

    decision: Decision
    because: str = Field(description="a sentence")
    window: tuple[SpanRef, ...] = Field(description="spans to train on, oldest first")
    holdout: tuple[SpanRef, ...] = Field(description="spans to judge on; empty if row-wise")
    champion: ChampionRef | None
    code: Digest
    environment: Digest
    run_key: Digest | None = Field(None, description="where every span is already known")
    by_name: tuple[str, ...] = Field(
        (), description="the spans as their names order them, where their rows say another order"
    )
    order_open: bool = Field(
        False,
        description="true: rows, not names, say the order of the spans, and some are not read yet: "
        "all are named, and validate chooses among them",
    )
    tables: dict[str, tuple[SpanRef, ...]] = Field(
        default_factory=dict,
        exclude_if=lambda tables: not tables,
        description="table that is joined → its spans, oldest first",
    )
    detectable: str | None = Field(None, description="what the holdout can tell, where known")
    notes: tuple[str, ...] = Field((), description="spans left out, and why")
    refused: tuple[str, ...] = Field(
        (), description="spans with the codes they were refused for, where there would be enough"
    )
    conditions: tuple[Evaluated, ...] = Field((), description="of the triggers, in their order")
    signals: tuple[Signal, ...] = Field((), description="what to wake the training for")
    news: tuple[News, ...] = Field((), description="what people may want to be told of")
