"""Hold MLflow and the store to the ledger: look, repair what the ledger settles, report the rest.

Who is champion is never changed here: the journal says it, and only a verdict or a person adds to
the journal. Every repair is one that a rerun would make too, so two at once do no harm.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace

from everfit.champion.promotion import Intended, is_late, make_version, project_alias
from everfit.champion.repair.artifacts import lost_artifacts, named_artifacts
from everfit.champion.repair.differences import Facts, Repair, differences, unpromoted
from everfit.champion.repair.rebuild import Rebuilt, rebuild
from everfit.champion.seal import refuse_altered_journal
from everfit.contracts.base import Digest
from everfit.contracts.errors import EverfitError, IntegrityError, UserError
from everfit.engine.context import Context
from everfit.storage.ledger import Ledger
from everfit.storage.ledger.records import VersionRecord
from everfit.storage.mlflow import Registry, ShownVersion, open_registry
from everfit.storage.store import Store


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


def reconcile(
    pipeline: str, context: Context, *, dry_run: bool = False, rebuild_missing: bool = False
) -> Reconciled:
    """Look at everything of a pipeline, and repair unless it is a dry run.

    Parameters
    ----------
    rebuild_missing : bool
        Also rebuild the runs and versions that MLflow lacks.

    Raises
    ------
    Unavailable
        If MLflow, the store or the ledger does not answer.
    """
    ledger, store = context.ledger, context.store
    with open_registry(context.settings, pipeline) as registry:
        made = Rebuilt()
        if rebuild_missing:
            made = rebuild(pipeline, context, registry, dry_run=dry_run)
        facts = gather(pipeline, ledger, store, registry)
        if dry_run:
            facts = as_if_made(facts, made.versions)
        found = differences(facts)
        repaired = list(made.sentences)
        reports = [*made.reports, *found.reports]
        for repair in found.repairs:
            try:
                told = repair.sentence
                if not dry_run:
                    told += _make(repair, pipeline, context, registry)
                repaired.append(told)
            except UserError as error:
                reports.append(error)
    forgotten = [
        record for record in ledger.versions(pipeline) if _forgotten(record, pipeline, ledger)
    ]
    try:
        refuse_altered_journal(pipeline, context)
    except IntegrityError as error:
        reports.append(error)
    reports += [unpromoted(pipeline, record.version) for record in forgotten]
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
        promoted=frozenset(entry.run_key for entry in ledger.history(pipeline)),
        recorded=recorded,
        before=before,
        unfinished={
            key: _intended(pipeline, key, ledger, store) for key in unfinished if key not in done
        },
        judged=frozenset(r.run_key for r in runs if ledger.verdict(r.run_key) is not None),
        alias=registry.alias(pipeline),
        versions=versions,
        runs=runs,
    )


def as_if_made(facts: Facts, made: Set[Digest]) -> Facts:
    """The facts, had the versions of these run keys been made."""
    versions = [
        ShownVersion(record.version, record.run_key)
        for record in facts.recorded
        if record.run_key in made
    ]
    return replace(facts, versions=[*facts.versions, *versions])


def _intended(
    pipeline: str, run_key: Digest, ledger: Ledger, store: Store
) -> Intended | EverfitError:
    from everfit.champion.repair.unfinished import intended_version

    try:
        return intended_version(pipeline, run_key, ledger, store)
    except IntegrityError as error:
        return error


def _forgotten(record: VersionRecord, pipeline: str, ledger: Ledger) -> bool:
    """Whether a version was accepted against the champion of today, and is forgotten.

    One that a person is asked about, or that is only observed, is not; nor one that was refused.
    """
    run, verdict = ledger.run(record.run_key), ledger.verdict(record.run_key)
    if run is None or verdict is None or verdict.verdict != "promote":
        return False
    if record.awaits:
        answer = ledger.approval(record.run_key)
        if answer is None or answer.answer == "refuse":
            return False
    return not is_late(pipeline, run.champion, ledger)


def _make(repair: Repair, pipeline: str, context: Context, registry: Registry) -> str:
    """Make one repair; what is worth adding to its sentence."""
    if repair.what == "register" and repair.made is not None and repair.run is not None:
        wanted = replace(repair.made, tags=repair.run.tags)
        record = make_version(wanted, repair.run.run, context, registry)
        return f" is v{record.version} now"
    if repair.what == "twins":
        registry.ensure_version(pipeline, repair.run_key, "", {}, "", known=repair.version)
    if repair.what in ("twins", "alias"):
        project_alias(pipeline, context.ledger, registry)
    if repair.what == "unnamed":
        registry.set_alias(pipeline, None)
    return ""
