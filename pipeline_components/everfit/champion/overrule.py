"""A person makes a version champion: checks first, then one compare-and-set, then the alias.

Where the run has no version, because the gate held or rejected it, it gets one on the way.
"""

from __future__ import annotations

import getpass
import os
from dataclasses import dataclass
from typing import Literal

from everfit.champion.agreement import refuse_other_registry
from everfit.champion.journal import shown_time
from everfit.champion.lookup import find_run, find_version
from everfit.champion.promotion import PROMOTION, Intended, make_version, project_alias
from everfit.champion.repair.unfinished import intended_version
from everfit.champion.seal import sealed
from everfit.champion.servable import check_servable
from everfit.contracts.errors import IntegrityError, Superseded, UserError, shortlist
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.engine.context import Context
from everfit.storage.ledger import Ledger
from everfit.storage.ledger.records import PromotionRecord, VersionRecord
from everfit.storage.mlflow import Registry, open_registry

LONGEST_REASON = 500


@dataclass(frozen=True)
class Overruled:
    """What came of it."""

    entry: PromotionRecord
    """The head of the journal."""
    before: int | None
    """The champion until then."""
    changed: bool
    """False where the version was champion already; its alias is put right all the same."""
    libraries: str = ""
    """A sentence on the libraries the version was made with."""


def overrule(
    kind: Literal["override", "rollback"],
    spec: PipelineSpec,
    number: int,
    reason: str,
    person: str,
    context: Context,
) -> Overruled:
    """Make a version champion.

    A process killed at any point leaves the journal as it was or as it shall be; asked again, it
    finishes the alias.

    Parameters
    ----------
    kind : str
        ``rollback`` goes back to a version that was champion; ``override`` takes any.
    reason, person : str
        Why and who; both are kept in the journal.

    Raises
    ------
    UserError
        If there is no reason, no such version, or it could not serve.
    IntegrityError
        If the store or MLflow lost it.
    Superseded
        If another promotion came first; nothing was changed then.
    """
    record = find_version(context.ledger, spec.name, number)
    if kind == "rollback":
        _refuse_never_champion(context.ledger, spec.name, number)
    return _make_champion(kind, spec, record, (reason, person), context)


def overrule_run(
    spec: PipelineSpec, begins: str, reason: str, person: str, context: Context
) -> Overruled:
    """Make the candidate of a run champion, also one that the gate held or rejected: an override.

    Parameters
    ----------
    begins : str
        The first letters of the run's key.

    Raises
    ------
    UserError
        As ``overrule``; also if the run was not decided upon, or not by this pipeline.
    IntegrityError
        If its results or its run in MLflow are lost.
    Superseded
        If another promotion came first; the version is made all the same, and stays a challenger.
    """
    ledger = context.ledger
    run_key = find_run(ledger, spec.name, begins).run_key
    record = ledger.version(run_key)
    if record is None:
        if ledger.verdict(run_key) is None:
            raise UserError(
                "CHAMPION-UNDECIDED",
                f"{spec.name} run {run_key[:12]}",
                "the gate must have judged a run before a person can overrule it",
                "it has no verdict yet",
                "Let it finish first",
            )
        found = intended_version(spec.name, run_key, ledger, context.store)
        record = VersionRecord(
            run_key=run_key, version=0, mlflow_run="", champion=found.made, dossier=found.dossier
        )
    return _make_champion("override", spec, record, (reason, person), context)


def _make_champion(
    kind: Literal["override", "rollback"],
    spec: PipelineSpec,
    record: VersionRecord,
    decided: tuple[str, str],
    context: Context,
) -> Overruled:
    """Check, register where there is no version yet, append to the journal, move the alias.

    Where another person has made it champion already, an entry is added all the same, so that
    nobody's reason is lost; the same person once more is the command begun again.
    """
    pipeline, ledger = spec.name, context.ledger
    why, who = told_reason(*decided), named_person(decided[1])
    head = ledger.champion(pipeline)
    again = head is not None and (head.kind == "promote" or who == head.person)
    if head is not None and head.run_key == record.run_key and again:
        with open_registry(context.settings, pipeline) as registry:
            refuse_other_registry(pipeline, context, registry, may_be_lost=True)
            project_alias(pipeline, ledger, registry)
        return Overruled(head, head.version, changed=False)
    libraries = check_servable(spec, record, context)
    with open_registry(context.settings, pipeline) as registry:
        refuse_other_registry(pipeline, context, registry, may_be_lost=True)
        if not record.version:
            record = _register(record, why, pipeline, context, registry)
        refuse_gone(registry, pipeline, record)
        wanted = PromotionRecord(
            sequence=head.sequence + 1 if head else 1,
            version=record.version,
            run_key=record.run_key,
            kind=kind,
            reason=why,
            person=who,
        )
        wanted = sealed(wanted, pipeline, context)
        entry = append(ledger, pipeline, wanted)
        state = {PROMOTION: str(entry.sequence)}
        registry.tag_version(pipeline, record.version, state)
        project_alias(pipeline, ledger, registry)
    return Overruled(entry, head.version if head else None, changed=True, libraries=libraries)


def _register(
    record: VersionRecord, why: str, pipeline: str, context: Context, registry: Registry
) -> VersionRecord:
    """Make the version of a run that the gate did not accept.

    Raises
    ------
    IntegrityError
        If MLflow lost the run.
    """
    verdict = context.ledger.verdict(record.run_key)
    logged = next(
        (
            run
            for run in registry.runs(pipeline)
            if (run.run_key, run.status) == (record.run_key, "FINISHED")
        ),
        None,
    )
    if logged is None or verdict is None:
        raise IntegrityError(
            "CHAMPION-RUN-GONE",
            f"{registry.where} run {record.run_key[:12]}",
            "MLflow must have the candidate's finished run",
            "there is none",
            f"Run everfit run {pipeline} --force, or clear the register task of its Airflow run",
        )
    wanted = Intended(
        pipeline=pipeline,
        made=record.champion,
        description=f"{verdict.verdict}: {verdict.because} Overruled: {why}",
        tags=logged.tags,
        dossier=record.dossier,
    )
    return make_version(wanted, logged.run, context, registry)


def append(ledger: Ledger, pipeline: str, wanted: PromotionRecord) -> PromotionRecord:
    """Append to the journal, if nobody did since its head was read.

    Raises
    ------
    Superseded
        If somebody did, be it for the same version: then theirs is the reason that is kept.
    """
    stored: PromotionRecord | None
    try:
        stored = ledger.promote(pipeline, wanted)
    except Superseded:
        stored = ledger.champion(pipeline)
    if stored is not None and stored.model_copy(update={"at": ""}) == wanted:
        return stored
    now = f"v{stored.version} since {shown_time(stored.at)}" if stored else "none"
    raise Superseded(
        "CHAMPION-SUPERSEDED",
        f"{pipeline} v{wanted.version}",
        "the champion must not have changed since the command began",
        f"it is {now}, so nothing was changed",
        f"Look at it with everfit champion {pipeline}, then decide again",
    )


def told_reason(reason: str, person: str) -> str:
    """Why and who, on one line.

    Raises
    ------
    UserError
        If there is no reason, or it is a novel.
    """
    return f"{short_reason(reason)} ({named_person(person)})"


def named_person(person: str) -> str:
    """Who decides, on one line: the user of this process where nobody is named."""
    return " ".join(person.split())[:100] or this_person()


def short_reason(reason: str, *, needed: bool = True) -> str:
    """Why, on one line.

    Raises
    ------
    UserError
        If it is a novel, or there is none where one is needed.
    """
    text = " ".join(reason.split())
    if (needed and not text) or len(text) > LONGEST_REASON:
        raise UserError(
            "CHAMPION-REASON",
            "--reason",
            f"a decision needs a reason of at most {LONGEST_REASON} letters",
            f"it has {len(text)}",
            "Say why; people will ask in a year",
        )
    return text


def this_person() -> str:
    """The login of the user this process runs as, by its number: variables may say anything."""
    try:
        import pwd  # not on every system
    except ImportError:
        return getpass.getuser()
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user may have no name
        return f"user {os.getuid()}"


def on_behalf(reason: str, of: str | None) -> str:
    """The reason of who decides, and for whom, where that is somebody else.

    >>> on_behalf("too slow", "ada")
    'too slow (for ada)'
    """
    name = " ".join((of or "").split())[:100]
    if not name or name == this_person():
        return reason
    return f"{reason} (for {name})" if reason.strip() else f"for {name}"


def _refuse_never_champion(ledger: Ledger, pipeline: str, number: int) -> None:
    once = {entry.version for entry in ledger.history(pipeline)}
    if number in once:
        return
    there = shortlist(f"v{version}" for version in sorted(once, reverse=True)) or "none yet"
    raise UserError(
        "CHAMPION-NEVER",
        f"{pipeline} v{number}",
        "a rollback goes to a version that was champion before",
        f"it never was; {there} {'were' if len(once) > 1 else 'was'}",
        f"Name one of these, or use everfit promote {pipeline} --to {number}",
    )


def refuse_gone(registry: Registry, pipeline: str, record: VersionRecord) -> None:
    """The alias can only name what MLflow has: look before the journal says so."""
    for shown in registry.versions(pipeline):
        if shown.version == record.version and shown.run_key == record.run_key:
            return
    raise IntegrityError(
        "CHAMPION-GONE",
        f"{registry.where} model {pipeline}",
        f"MLflow must hold version {record.version} of run {record.run_key[:12]}",
        "it was deleted, or this is a different registry",
        "Restore MLflow's database from its backup, correct EVERFIT_MLFLOW, or choose another",
    )
