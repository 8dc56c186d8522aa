"""What the ledger remembers. Times are UTC ISO strings, set by the ledger; they are in no key."""

from __future__ import annotations

from typing import Any, Literal

from everfit.contracts.base import Digest, Frozen
from everfit.contracts.messages.monitoring import Rise
from everfit.contracts.messages.monitoring_levels import DriftLevel
from everfit.contracts.messages.planning import ChampionRef, Decision, Trigger
from everfit.contracts.messages.trigger_facts import Evaluated
from everfit.contracts.messages.verdicts import VerdictName


class SpanRecord(Frozen):
    """A span that was looked at once: snapshotted, or refused for good."""

    name: str
    fingerprint: str
    reader: Digest
    """Digest of the reader options and schema types it was read with."""
    digest: Digest | None
    """None where it was refused."""
    snapshot: dict[str, Any] | None
    """The ``Snapshot`` as JSON, or None where it was refused."""
    code: str | None = None
    message: str | None = None
    at: str = ""


class EvaluationRecord(Frozen):
    """One look at a pipeline's triggers, and what plan made of it."""

    trigger: Trigger
    decision: Decision
    because: str
    run_key: Digest | None
    at: str = ""
    stage: Literal["wake", "sweep", "end"] = "wake"
    """A wake of the training; a sweep that looked whether to wake it; a wake that ended early."""
    conditions: tuple[Evaluated, ...] = ()


class MonitorRecord(Frozen):
    """One champion evaluated on one span."""

    champion: Digest
    """Run key of the champion."""
    version: int
    span: Digest
    name: str
    rows: int
    asked: Digest
    """Digest of what was asked: another monitor spec or code measures anew."""
    state: Literal["measured", "broken", "too_small"]
    inputs: float
    """Largest score of a significant column that the champion depends on."""
    columns: float
    """Largest score of any significant column."""
    strongest: tuple[str, ...]
    """Names of the columns that have drifted, the most drifted first."""
    rises: tuple[Rise, ...]
    because: str
    document: Digest
    """The ``MonitorResult`` it is from."""
    at: str = ""
    tested: DriftLevel | None = None
    """What its drift was tested at; None where no rate is kept over all pipelines."""


class RunRecord(Frozen):
    """A run, from the moment its run key is known."""

    run_key: Digest
    spec: Digest
    window: tuple[Digest, ...]
    holdout: tuple[Digest, ...]
    code: Digest
    environment: Digest
    seed: int
    champion: ChampionRef | None
    """What it is compared with, pinned: a rerun of the run is compared with the same."""
    trigger: Trigger
    at: str = ""


class VerdictRecord(Frozen):
    """The one decision about a run."""

    run_key: Digest
    verdict: VerdictName
    because: str
    decision: Digest
    """Digest of the gate's result document."""
    at: str = ""


class VersionRecord(Frozen):
    """A finished registration: the one registry version of a run."""

    run_key: Digest
    version: int
    mlflow_run: str
    champion: ChampionRef
    """The version as a later run would be compared with it (``sequence`` filled on promotion)."""
    at: str = ""
    awaits: Literal["", "observe", "approval"] = ""
    """Why an accepted version is not promoted by itself; empty where it is."""
    dossier: Digest | None = None
    """The ``Dossier`` it can be rebuilt from; None where an older Everfit made it."""
    signature: str = ""
    """Over the record's other fields but ``at``; empty where an older Everfit made it."""


class PromotionRecord(Frozen):
    """An entry of the champion journal; ``sequence`` counts from 1 without gaps."""

    sequence: int
    version: int
    run_key: Digest
    kind: Literal["promote", "refit", "override", "rollback"]
    """By the gate's verdict; by a refit of what it promoted; by a person, to a version it did not
    make champion, or back."""
    reason: str
    at: str = ""
    person: str = ""
    """Who decided; empty where the gate did."""
    previous: str = ""
    """sha-256 of the entry before, as it was signed; empty for the first."""
    signature: str = ""
    """Over the entry's other fields."""


class ApprovalRecord(Frozen):
    """A person's answer about a version that waited for it; the first one counts."""

    run_key: Digest
    answer: Literal["approve", "refuse"]
    person: str
    reason: str
    at: str = ""


class ResultRecord(Frozen):
    """What was computed once and lies in the store, known by its digest."""

    made: str
    """What made it: a step, or the name of a value that is kept."""
    key: Digest
    """Its content key."""
    digest: Digest
    number: int
    """From 1; above it where the bytes were lost and made again, and are others."""
    at: str = ""


class RemovalRecord(Frozen):
    """An artifact that retention has taken out of the store, so that nobody looks for it."""

    digest: Digest
    what: str
    """What people called it."""
    reason: str
    at: str = ""
