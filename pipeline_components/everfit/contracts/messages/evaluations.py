"""Evaluations on holdouts, which spend from the evaluation budget, and what steps have cost."""

from __future__ import annotations

from pydantic import Field

from everfit.contracts.base import Digest, Frozen, PipelineName
from everfit.contracts.messages.steps import Component


class EvaluatedSpan(Frozen):
    """A span whose rows a candidate was evaluated on."""

    digest: Digest
    rows: int = Field(description="labelled rows of it")
    years: float = Field(
        description="how much time it covers beside the spans before it, in years of 365.25 days"
    )
    fresh: bool = Field(description="true where no earlier evaluation was on it")
    new: float = Field(0.0, description="years of it that no earlier evaluation's spans cover")
    start: str | None = Field(None, description="ISO time its time begins")
    end: str | None = Field(None, description="ISO time its time ends, exclusive")


class ChampionDecay(Frozen):
    """Of a gate with ``when_decayed``: what monitoring had found of the champion by the judgement.

    Read from the ledger, and kept in it with the evaluation: a run is judged by it ever after.
    """

    decayed: bool = Field(description="surely, on the newest spans; the gate asks when_decayed")
    before: bool = Field(
        description="so already on the spans before the holdout: only then may it spend what is "
        "kept, as no level may depend on the rows that it is used on"
    )
    because: str = Field(description="part of a sentence")
    idle: float = Field(
        0.0, description="years of data since the evaluations before that none was made on"
    )
    kept: float = Field(0.0, description="of what was added, for decayed champions alone")


class HoldoutEvaluation(Frozen):
    """One run's evaluation on its holdout; the ledger keeps the first of each run."""

    run_key: Digest
    pipeline: PipelineName
    target: str = Field(description="name of what is predicted: evaluations are numbered by it")
    sequence: int = Field(
        description="counts the evaluations of all pipelines with this target from 1, without gaps"
    )
    number: int = Field(1, description="the same for those that share one budget")
    spans: tuple[EvaluatedSpan, ...]
    new_rows: float = Field(
        1.0, ge=0, le=1, description="share of the rows that were in no earlier evaluation"
    )
    shared_with: tuple[PipelineName, ...] = Field(
        (), description="other pipelines that were evaluated on the same rows: one budget for all"
    )
    refilled: float = Field(description="added to the budget for what is new")
    pool: float = Field(description="the budget before this evaluation spent, with what was added")
    alpha: float = Field(description="spent: the chance of a false promotion; 0: exhausted")
    at: str = ""
    decay: ChampionDecay | None = Field(
        None, description="None: no champion, or a gate without when_decayed"
    )

    @property
    def decayed(self) -> bool:
        """Whether the champion it is compared with has surely decayed."""
        return self.decay is not None and self.decay.decayed


class EvaluatedRows(Frozen):
    """A sample of the rows of an evaluation, by which they are recognized when they come again.

    ``cells`` holds a 32-bit hash of each value, so no value can be read from it; not the time
    column, which tells nothing of whether the rows are others.
    """

    run_key: Digest
    pipeline: PipelineName
    target: str
    columns: tuple[str, ...] = Field(description="of features, in the order of ``cells``")
    rows: int = Field(description="different rows that the sample was drawn from")
    cells: str = Field(
        description="base64 of little-endian uint32, a row after the other: target "
        "first, then ``columns``"
    )
    at: str = ""


class Cost(Frozen):
    """What one step's work has cost, where it was done and not found."""

    result: Digest = Field(description="digest of its result document")
    component: Component
    seconds: float = Field(description="wall seconds")
    cpu_seconds: float = Field(description="of the process and its children")
    peak_mb: float = Field(description="peak resident memory of the process so far, in 10^6 bytes")
    at: str = ""
