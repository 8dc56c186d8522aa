"""What travels along the chain: an order in, an outcome out.

An ``Order`` says which component is to work for which pipeline on which earlier results. The
component's step turns the order into its own frozen request (see ``requests``), whose digest, with
code and environment, is the content key. The ``Outcome`` is all that Airflow ever sees.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Self, TypeVar

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from everfit.contracts.base import Digest, Frozen
from everfit.contracts.errors import RequestError
from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.people import PersonRequest
from everfit.contracts.messages.planning import RunType, Signal, Trigger
from everfit.contracts.messages.scoring import ScoreOptions
from everfit.contracts.messages.summaries import StepSummary, Summary
from everfit.contracts.spec.images import Component
from everfit.contracts.spec.notices import News
from everfit.contracts.spec.pipeline import PipelineSpec

__all__ = [
    "Component",
    "Ended",
    "News",
    "Order",
    "Outcome",
    "RunOptions",
    "RunType",
    "Trigger",
]


class RunOptions(Frozen):
    """How one run differs from its spec, as a form or the command line says."""

    force: bool = Field(False, description="go through the chain even where nothing changed")
    window: int | Literal["all"] | None = Field(None, description="instead of window.spans")
    cooldown: bool = Field(False, description="the cooldown holds this run back too")


class Order(Frozen):
    """``order.json``: what a task is told."""

    component: Component
    pipeline: PipelineSpec
    upstream: dict[Component, tuple[Digest, ...]] = Field(
        default_factory=dict, description="component → digests of its result documents"
    )
    family: str | None = Field(None, description="train: which model family")
    trigger: Trigger = Trigger()
    options: RunOptions = RunOptions()
    sweep: bool = Field(False, description="plan: only say what a wake would come to")
    requested: PersonRequest | None = Field(None, description="promote: what a person asks")
    scoring: ScoreOptions | None = Field(
        None,
        exclude_if=lambda scoring: scoring is None,
        description="score: how this run differs from the spec",
    )

    @property
    def scored_input(self) -> str | None:
        """What score reads in this run; None: the pipeline's own source."""
        said = self.pipeline.score
        return (self.scoring and self.scoring.input) or (said.input if said else None)

    @property
    def effective_pipeline(self) -> PipelineSpec:
        """The pipeline as this run sees it: the spec, with the run's options in its place.

        Raises
        ------
        RequestError
            If the spec's fields do not go with the options.
        """
        spans, needed = self.options.window, self.pipeline.window.min_spans
        if spans is None:
            return self.pipeline
        if spans != "all" and spans < needed:
            raise RequestError(
                "WINDOW",
                f"{self.pipeline.name} window",
                "a run's window must hold at least as many spans as window.min_spans",
                f"{spans} {'is' if spans == 1 else 'are'} asked for, and min_spans is {needed}",
                f"Ask for {needed} or more, or lower window.min_spans",
            )
        window = self.pipeline.window.model_copy(update={"spans": spans})
        return self.pipeline.model_copy(update={"window": window})


class Outcome(Frozen):
    """``outcome.json``: what a task reports, small enough for an XCom."""

    component: Component
    result: Digest = Field(description="digest of the result document in the store")
    key: Digest = Field(description="content key of the request")
    cached: bool = Field(description="true where the key was found and no work was done")
    seconds: float = Field(description="wall seconds of this task, not of the cached work")
    summary: Summary | None = Field(None, description="a few counts and scores")
    reports: dict[str, Artifact] = Field(
        default_factory=dict, description="pages to look at: data_report, decision_report"
    )
    links: dict[str, str] = Field(default_factory=dict, description="addresses, such as mlflow_run")
    signals: tuple[Signal, ...] = Field((), description="what to wake the training for")
    news: tuple[News, ...] = Field((), description="told once: not anew where it was known")

    @model_validator(mode="after")
    def _summary_is_of_the_component(self) -> Self:
        if self.summary is not None and self.summary.component != self.component:
            raise ValueError(f"the summary is of {self.summary.component}, not of {self.component}")
        return self


class Ended(Frozen):
    """``outcome.json`` where there was nothing to do; the task is skipped."""

    nothing_to_do: str = Field(description="the one line that says why")
    reports: dict[str, Artifact] = Field(default_factory=dict)
    links: dict[str, str] = Field(default_factory=dict)
    news: tuple[News, ...] = ()


_LEFT: TypeAdapter[Outcome | Ended] = TypeAdapter(Outcome | Ended, config={"defer_build": True})


def read_outcome(value: object) -> Outcome | Ended | None:
    """What a task has left, as XCom gives it back; None where it is nothing of ours."""
    try:
        return _LEFT.validate_python(value)
    except ValidationError:
        return None


SummaryT = TypeVar("SummaryT", bound=StepSummary)


def find_summary(outcomes: Iterable[Outcome], kind: type[SummaryT]) -> SummaryT | None:
    """The first summary of a step; None where none of the outcomes has it."""
    return next((one.summary for one in outcomes if isinstance(one.summary, kind)), None)
