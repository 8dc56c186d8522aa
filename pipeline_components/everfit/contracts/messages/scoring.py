"""Request and result of batch scoring: whole spans, predicted once for a version."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from everfit.contracts.base import Frozen, PipelineName
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.spec.score import ScoreAddress, ScoringVersion, SpanCount


class ScoreOptions(Frozen):
    """How one run of scoring differs from the spec's ``score``, as a form says."""

    input: ScoreAddress | None = Field(None, description="instead of score.input")
    output: ScoreAddress | None = Field(None, description="instead of score.output")
    spans: SpanCount | None = Field(None, description="instead of score.spans")
    version: ScoringVersion | None = Field(None, description="instead of score.version")
    as_of: str | None = Field(
        None,
        max_length=40,
        description="by who was champion at that time; ``span``: each span by that of its own end",
    )


class ScoreRequest(Frozen):
    """Score the spans that their version has not scored; reads the world, so it is never cached."""

    pipeline: PipelineSpec
    input: str | None = Field(description="None: the pipeline's own source")
    output: str
    spans: SpanCount
    version: str
    as_of: str | None


class ScoredSpan(Frozen):
    """What became of one span."""

    span: str
    state: Literal["scored", "already", "refused"] = Field(
        description="``already``: its predictions by this version were there"
    )
    version: int | None = Field(None, description="null where it was refused")
    output: str | None = Field(None, description="where its predictions are")
    rows: int = 0
    unscored: int = Field(0, description="rows whose prediction is empty: it was no finite number")
    unreadable: dict[str, int] = Field(
        default_factory=dict, description="column → cells not of its type, taken as missing"
    )
    unseen: dict[str, int] = Field(
        default_factory=dict, description="column → cells with a text not seen in training"
    )
    notes: tuple[str, ...] = Field((), description="what was left out or read in another way")
    refusal: str | None = Field(None, description="why it was not scored")
    retry: bool = Field(False, description="whether another try may succeed without a change")


class ScoreResult(Frozen):
    """What became of every span."""

    pipeline: PipelineName
    output: str
    spans: tuple[ScoredSpan, ...] = Field(description="in the source's order")

    def of_state(self, state: Literal["scored", "already", "refused"]) -> tuple[ScoredSpan, ...]:
        """The spans of which that became."""
        return tuple(one for one in self.spans if one.state == state)
