"""The chain's topology and what travels along it: an order in, an outcome out.

An ``Order`` says which component is to work for which pipeline on which earlier results. At its
door the component turns the order into its own frozen request (see ``requests``), whose digest,
with code and environment, is the content key. The ``Outcome`` is all that Airflow ever sees.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from .artifacts import Artifact
from .base import Digest, Frozen
from .images import Component
from .notices import News
from .planning import RunType, Signal, Trigger
from .spec import PipelineSpec

__all__ = [
    "CHAIN", "MONITORING", "Asked", "Component", "Ended", "News", "Order", "Outcome", "RunType",
    "Trigger", "Wishes",
]  # fmt: skip

CHAIN: dict[Component, tuple[Component, ...]] = {
    "plan": (),
    "extract": ("plan",),
    "validate": ("plan", "extract"),
    "prepare": ("plan", "validate"),
    "train": ("prepare",),
    "evaluate": ("plan", "prepare", "train"),
    "gate": ("plan", "validate", "prepare", "evaluate"),
    "register": ("plan", "validate", "prepare", "evaluate", "gate"),
}
"""component → the components whose results it reads, in running order."""

MONITORING: dict[Component, tuple[Component, ...]] = {
    "watch": (),
    "extract": ("watch",),
    "monitor": ("watch", "extract"),
    "drift_report": ("monitor",),
}
"""The same of monitoring; ``plan`` then sweeps: it says whether training should be woken."""


class Wishes(Frozen):
    """What a person may ask of one run, from the form or the command line."""

    force: bool = Field(False, description="go through the chain even where nothing changed")
    window: int | Literal["all"] | None = Field(None, description="instead of window.spans")
    cooldown: bool = Field(False, description="the cooldown holds this run back too")


class Asked(Frozen):
    """What a person asks of the champion: the words of ``promote``, beside the chain."""

    what: Literal["promote", "rollback", "ask", "approve", "refuse"] = Field(
        description="ask tells what a person is asked about the version that waits; approve and "
        "refuse answer it"
    )
    version: int | None = Field(None, description="the version to promote or to go back to")
    run: str = Field("", description="promote: beginning of the key of a run without a version")
    reason: str = Field("", max_length=500, description="why; kept in the journal")
    person: str = Field("", max_length=100, description="who")


class Order(Frozen):
    """``order.json``: what a task is told."""

    component: Component
    pipeline: PipelineSpec
    upstream: dict[Component, tuple[Digest, ...]] = Field(
        default_factory=dict, description="component → digests of its result documents"
    )
    family: str | None = Field(None, description="train: which model family")
    trigger: Trigger = Trigger()
    wishes: Wishes = Wishes()
    sweep: bool = Field(False, description="plan: only say what a wake would come to")
    asked: Asked | None = Field(None, description="promote: what a person asks")

    @property
    def wished(self) -> PipelineSpec:
        """The pipeline as this run sees it: the spec, with the wishes in place of its values."""
        if self.wishes.window is None:
            return self.pipeline
        window = self.pipeline.window.model_copy(update={"spans": self.wishes.window})
        return self.pipeline.model_copy(update={"window": window})


class Outcome(Frozen):
    """``outcome.json``: what a task tells, small enough for an XCom."""

    component: Component
    result: Digest = Field(description="digest of the result document in the store")
    key: Digest = Field(description="content key of the request")
    cached: bool = Field(description="true where the key was found and no work was done")
    seconds: float = Field(description="wall seconds of this task, not of the cached work")
    summary: dict[str, Any] = Field(default_factory=dict, description="a few counts and scores")
    reports: dict[str, Artifact] = Field(
        default_factory=dict, description="pages to look at: data_report, decision_report"
    )
    links: dict[str, str] = Field(default_factory=dict, description="addresses, such as mlflow_run")
    signals: tuple[Signal, ...] = Field((), description="what to wake the training for")
    news: tuple[News, ...] = Field((), description="told once: not anew where it was known")


class Ended(Frozen):
    """``outcome.json`` where there was nothing to do; the task is skipped."""

    nothing_to_do: str = Field(description="the one line that says why")
    reports: dict[str, Artifact] = Field(default_factory=dict)
    links: dict[str, str] = Field(default_factory=dict)
    news: tuple[News, ...] = ()
