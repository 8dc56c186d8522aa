"""Hold MLflow and the store to the ledger: look, repair what the ledger settles, report the rest.

Who is champion is never changed here: the journal says it, and only a verdict or a person adds to
the journal. Every repair is one that a rerun would make too, so two at once do no harm.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline_components.context import Context
from pipeline_components.contracts.base import Digest
from pipeline_components.contracts.errors import EverfitError, IntegrityError, UserError
from pipeline_components.contracts.requests import ChampionRef
from pipeline_components.ledger import Ledger
from pipeline_components.ledger.records import VersionRecord
from pipeline_components.register.promotion import make_version, project_alias
from pipeline_components.registry import Registry, open_registry
from pipeline_components.store import Store

from .artifacts import lost_artifacts, named_artifacts
from .differences import Facts, Repair, differences


@dataclass(frozen=True)
class Reconciled:
    """What was looked at, done and left."""

    repaired: tuple[str, ...]
    """A sentence each; with ``dry_run`` what would have been done."""
    reports: tuple[EverfitError, ...]
    """What a person must do, a line each."""
    versions: int
    runs: int
    artifacts: int


def reconcile(pipeline: str, context: Context, *, dry_run: bool = False) -> Reconciled:
    """Look at everything of a pipeline, and repair unless it is a dry run.

    Raises
    ------
    Unavailable
        If MLflow, the store or the ledger does not answer.
    """
    ledger, store = context.ledger, context.store
    with open_registry(context.settings, pipeline) as registry:
        facts = gather(pipeline, ledger, store, registry)
        found = differences(facts)
        repaired, reports = [], list(found.reports)
        for repair in found.repairs:
            try:
                told = repair.sentence
                if not dry_run:
                    told += _make(repair, pipeline, ledger, registry)
                repaired.append(told)
            except UserError as error:
                reports.append(error)
    named = named_artifacts(ledger, store, pipeline)
    reports += _watched(named, pipeline, context)
    return Reconciled(
        repaired=tuple(repaired),
        reports=tuple(reports),
        versions=len(facts.recorded),
        runs=len(facts.runs),
        artifacts=len(named),
    )


def gather(pipeline: str, ledger: Ledger, store: Store, registry: Registry) -> Facts:
    """Read all that is compared, the registry last: what it lacks is no news still under way."""
    unfinished = {
        run_key: _intended(run_key, ledger, store)
        for run_key in ledger.unfinished_registrations(pipeline)
    }
    recorded = ledger.versions(pipeline)
    unpromoted = [record for record in recorded if _waits(record, pipeline, ledger)]
    head = ledger.champion(pipeline)
    runs = registry.runs(pipeline)
    return Facts(
        pipeline=pipeline,
        registry=registry.where,
        head=head,
        recorded=recorded,
        unfinished=unfinished,
        unpromoted=unpromoted,
        judged=frozenset(r.run_key for r in runs if ledger.verdict(r.run_key) is not None),
        alias=registry.alias(pipeline),
        versions=registry.versions(pipeline),
        runs=runs,
    )


def _intended(run_key: Digest, ledger: Ledger, store: Store) -> ChampionRef | EverfitError:
    from .unfinished import intended_version

    try:
        return intended_version(run_key, ledger, store)
    except IntegrityError as error:
        return error


def _waits(record: VersionRecord, pipeline: str, ledger: Ledger) -> bool:
    """Whether a version was accepted against the champion of today, and is not promoted."""
    run, head = ledger.run(record.run_key), ledger.champion(pipeline)
    if run is None:
        return False
    pinned = run.champion.sequence if run.champion else 0
    return pinned == (head.sequence if head else 0)


def _make(repair: Repair, pipeline: str, ledger: Ledger, registry: Registry) -> str:
    """Make one repair; what is worth adding to its sentence."""
    if repair.what == "register" and repair.made is not None and repair.run is not None:
        verdict = ledger.verdict(repair.run_key)
        description = f"{verdict.verdict}: {verdict.because}" if verdict else ""
        record = make_version(
            pipeline, repair.made, description, repair.run.run, repair.run.tags, ledger, registry
        )
        return f" is v{record.version} now"
    if repair.what == "twins":
        registry.ensure_version(pipeline, repair.run_key, "", {}, "", known=repair.version)
    if repair.what in ("twins", "alias"):
        project_alias(pipeline, ledger, registry)
    return ""


def _watched(
    named: dict[Digest, str], pipeline: str, context: Context
) -> Iterator[IntegrityError]:
    context.progress.update("artifacts", 0, 1)
    yield from lost_artifacts(named, context.store, context.scratch, pipeline)
    context.progress.update("artifacts", 1, 1)
