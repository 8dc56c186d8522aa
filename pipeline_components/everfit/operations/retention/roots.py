"""Where the ledger says that something is needed, and whose everything is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from everfit.contracts.base import Digest, Frozen, canonical_json
from everfit.contracts.clock import moment
from everfit.operations.retention.census import named_in
from everfit.storage.ledger import Ledger

VERSIONS = "versions, with all that they are rebuilt and explained from"
UNFINISHED = "accepted runs whose registration is unfinished"
RUNS = "younger runs"
SPANS = "the newest snapshot of every span"
MONITORED = "monitoring of the champion"
MEASURED = "measurements of former champions"
YOUNGER = "made or used since then, and all that it names"
"""Reasons to keep, as people read them."""


@dataclass(frozen=True)
class Root:
    """Digests that a record names."""

    pipeline: str
    digests: frozenset[Digest]
    why: str
    follow: bool = True
    """Whether also what they name is kept."""
    run: Digest = ""
    """The run it is about; empty where it is about none."""
    must: tuple[Digest, ...] = ()
    """Of them those that have to be in the store: without one nobody knows what it named."""


def roots(ledger: Ledger, pipeline: str, since: datetime) -> Iterator[Root]:
    """All that a pipeline's records keep, the weightiest reason first.

    Parameters
    ----------
    ledger : Ledger
    pipeline : str
    since : datetime
        Runs and measurements from then on are kept whatever became of them.
    """
    removed = {record.digest for record in ledger.removals(pipeline)}
    runs = {run.run_key: run for run in ledger.find_runs(pipeline)}
    versions = {record.run_key: record for record in ledger.versions(pipeline)}
    for key, record in versions.items():
        digests = _digests(record) | {key} | (_digests(runs[key]) if key in runs else frozenset())
        must = (record.dossier,) if record.dossier else ()
        verdict = ledger.verdict(key)
        decision = (verdict.decision,) if verdict else ()
        yield Root(pipeline, digests | set(decision), VERSIONS, run=key, must=(*must, *decision))
    unfinished = set(ledger.unfinished_registrations(pipeline))
    for key, run in runs.items():
        if key in versions:
            continue
        verdict = ledger.verdict(key)
        times = [run.at, *([verdict.at] if verdict else [])]
        if key not in unfinished and not any(_since(at, since) for at in times):
            continue
        decision = (verdict.decision,) if verdict else ()
        yield Root(
            pipeline,
            _digests(run) | {key} | set(decision),
            UNFINISHED if key in unfinished else RUNS,
            run=key,
            must=tuple(d for d in decision if d not in removed),
        )
    newest = {record.name: record.digest for record in ledger.spans(pipeline) if record.digest}
    yield Root(pipeline, frozenset(newest.values()), SPANS)
    head = ledger.champion(pipeline)
    for measured in ledger.monitorings(pipeline):
        follow = _since(measured.at, since) or (
            head is not None and measured.champion == head.run_key
        )
        yield Root(
            pipeline, frozenset({measured.document}), MONITORED if follow else MEASURED, follow
        )


def ever(ledger: Ledger, pipeline: str) -> frozenset[Digest]:
    """Everything a pipeline's records ever named, but for spans, which pipelines may share."""
    found: set[Digest] = set()
    for run in ledger.find_runs(pipeline):
        found.add(run.run_key)
        if (verdict := ledger.verdict(run.run_key)) is not None:
            found.add(verdict.decision)
    for record in ledger.versions(pipeline):
        found |= {record.run_key, record.champion.model.digest, record.champion.train.digest}
        found |= {record.dossier} if record.dossier else set()
    found |= {measured.document for measured in ledger.monitorings(pipeline)}
    return frozenset(found)


def snapshots(ledger: Ledger, pipeline: str) -> dict[Digest, str]:
    """Digest → span, of every snapshot the pipeline ever read."""
    return {record.digest: record.name for record in ledger.spans(pipeline) if record.digest}


def _digests(record: Frozen) -> frozenset[Digest]:
    return named_in(canonical_json(record)).digests


def _since(at: str, since: datetime) -> bool:
    """Whether it was then or later; what has no time is taken for young."""
    when = moment(at)
    return when is None or when >= since
