"""Requests and results of the two components beside the chain: people decide, and repair."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from everfit.contracts.base import Digest, Frozen, PipelineName
from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.verdicts import CheckState, Severity, VerdictName
from everfit.contracts.spec.pipeline import PipelineSpec


class PersonRequest(Frozen):
    """What a person asks of the champion: the words of ``promote``, beside the chain."""

    what: Literal["promote", "rollback", "ask", "approve", "refuse"] = Field(
        description="ask tells what a person is asked about the version that waits; approve and "
        "refuse answer it"
    )
    version: int | None = Field(None, description="the version to promote or to go back to")
    run: str = Field("", description="promote: beginning of the key of a run without a version")
    reason: str = Field("", max_length=500, description="why; kept in the journal")
    person: str = Field("", max_length=100, description="who")


class PromoteRequest(Frozen):
    """Do what a person asks of the champion."""

    pipeline: PipelineSpec
    requested: PersonRequest


class CheckShown(Frozen):
    """A check that did not pass, as a person is shown it."""

    title: str
    code: str
    severity: Severity
    state: CheckState
    message: str
    flip: str = Field("", description="what would have changed the state")


class Question(Frozen):
    """What a person is asked about a version that waits for approval."""

    version: int
    run_key: Digest
    champion: int | None = Field(description="the one it was judged against; None: a dummy")
    verdict: VerdictName
    because: str
    gain: str = Field(description="what the gain's check says, with its interval")
    flip: str = Field(description="what would have given another answer")
    passed: int = Field(description="checks that passed")
    not_passed: tuple[CheckShown, ...] = Field(description="a few of those that did not")
    more: int = Field(0, description="and so many more")
    report: Artifact = Field(description="the page of the decision")


class PromoteResult(Frozen):
    """What came of it."""

    pipeline: PipelineName
    what: Literal["promote", "rollback", "ask", "approve", "refuse"]
    version: int = Field(description="the version it was about")
    run_key: Digest
    state: Literal["champion", "waiting", "refused", "superseded"] = Field(
        description="superseded: approved, and another was promoted before; a challenger"
    )
    champion: int | None = Field(description="the version that serves now")
    before: int | None = Field(None, description="the champion until then")
    entry: int | None = Field(None, description="the version's place in the journal")
    because: str = Field(description="reason and person, as they are kept")
    report: Artifact | None = Field(None, description="the page of the decision about the run")
    question: Question | None = Field(None, description="ask: what a person is asked")
    changed: bool = Field(
        False,
        exclude=True,  # of the attempt: asked once more the same is found, and told to nobody
        description="this attempt made a champion, or recorded an answer",
    )


class ReconcileRequest(Frozen):
    """Compare MLflow and the store with the ledger; reads the world, so it is never cached."""

    pipeline: PipelineName


class ReconcileResult(Frozen):
    """What was looked at, put right, and left."""

    pipeline: PipelineName
    repaired: tuple[str, ...] = Field(description="a sentence each")
    reports: tuple[str, ...] = Field(description="what a person must do, a line each")
    versions: int
    runs: int = Field(description="in MLflow")
    artifacts: int = Field(description="whose bytes were read")
