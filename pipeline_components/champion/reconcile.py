"""Hold MLflow and the store to the ledger: look, repair what the ledger settles, report the rest.

Who is champion is never changed here: the journal says it, and only a verdict or a person adds to
the journal. Every repair is one that a rerun would make too, so two at once do no harm.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline_components.context import Context
from pipeline_components.contracts.base import Digest
from pipeline_components.contracts.errors import EverfitError, IntegrityError, UserError
from pipeline_components.contracts.planning import ChampionRef
from pipeline_components.ledger import Ledger
from pipeline_components.ledger.records import VersionRecord
from pipeline_components.register.promotion import make_version, project_alias
from pipeline_components.registry import Registry, open_registry
from pipeline_components.store import Store

from .artifacts import lost_artifacts, named_artifacts
from .differences import Facts, Repair, differences, unpromoted


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
        repaired: list[str] = []
        reports = list(found.reports)
        for repair in found.repairs:
            try:
                told = repair.sentence
                if not dry_run:
                    told += _make(repair, pipeline, ledger, registry)
                repaired.append(told)
            except UserError as error:
                reports.append(error)
    waiting = [record for record in ledger.versions(pipeline) if _waits(record, pipeline, ledger)]
    reports += [unpromoted(pipeline, record.version) for record in waiting]
    named = named_artifacts(ledger, store, pipeline)
    reports += lost_artifacts(named, store, context.scratch, pipeline, context.progress)
    return Reconciled(
        repaired=tuple(repaired),
        reports=tuple(reports),
        versions=len(facts.recorded),
        runs=len(facts.runs),
        artifacts=len(named),
    )


def gather(pipeline: str, ledger: Ledger, store: Store, registry: Registry) -> Facts:
    """Read all that is compared; what appears meanwhile is neither missed nor taken for strange."""
    unfinished = ledger.unfinished_registrations(pipeline)
    before = frozenset(record.run_key for record in ledger.versions(pipeline))
    runs, versions = registry.runs(pipeline), registry.versions(pipeline)
    recorded = ledger.versions(pipeline)
    done = {record.run_key for record in recorded}
    return Facts(
        pipeline=pipeline,
        registry=registry.where,
        head=ledger.champion(pipeline),
        recorded=recorded,
        before=before,
        unfinished={key: _intended(key, ledger, store) for key in unfinished if key not in done},
        judged=frozenset(r.run_key for r in runs if ledger.verdict(r.run_key) is not None),
        alias=registry.alias(pipeline),
        versions=versions,
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
            pipeline, repair.made, repair.run.run, repair.run.tags, description, ledger, registry
        )
        return f" is v{record.version} now"
    if repair.what == "twins":
        registry.ensure_version(pipeline, repair.run_key, "", {}, "", known=repair.version)
    if repair.what in ("twins", "alias"):
        project_alias(pipeline, ledger, registry)
    return ""
