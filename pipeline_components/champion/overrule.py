"""A person makes a version champion: checks first, then one compare-and-set, then the alias."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from typing import Literal

from pipeline_components.context import Context
from pipeline_components.contracts.errors import IntegrityError, Superseded, UserError, shortlist
from pipeline_components.contracts.spec import PipelineSpec
from pipeline_components.ledger import Ledger
from pipeline_components.ledger.records import PromotionRecord, VersionRecord
from pipeline_components.register.promotion import project_alias
from pipeline_components.registry import Registry, open_registry

from .journal import shown_time
from .lookup import find_version
from .servable import check_servable

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
    why = told_reason(reason, person)
    pipeline, ledger = spec.name, context.ledger
    head = ledger.champion(pipeline)
    record = find_version(ledger, pipeline, number)
    if kind == "rollback":
        _refuse_never_champion(ledger, pipeline, number)
    if head is not None and head.run_key == record.run_key:
        with open_registry(context.settings, pipeline) as registry:
            project_alias(pipeline, ledger, registry)
        return Overruled(head, head.version, changed=False)
    check_servable(spec, record, context)
    wanted = PromotionRecord(
        sequence=head.sequence + 1 if head else 1,
        version=number,
        run_key=record.run_key,
        kind=kind,
        reason=why,
    )
    with open_registry(context.settings, pipeline) as registry:
        _refuse_gone(registry, pipeline, record)
        entry = append(ledger, pipeline, wanted)
        registry.tag_version(pipeline, number, {"everfit.promotion": str(entry.sequence)})
        project_alias(pipeline, ledger, registry)
    return Overruled(entry, head.version if head else None, changed=True)


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
        "the champion must still be the one there was when the command began",
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
    text = " ".join(reason.split())
    if not text or len(text) > LONGEST_REASON:
        raise UserError(
            "CHAMPION-REASON",
            "--reason",
            f"what a person decides needs a reason, of at most {LONGEST_REASON} letters",
            f"it has {len(text)}",
            "Say why, for whoever asks in a year",
        )
    who = " ".join(person.split())[:100] or this_person()
    return f"{text} ({who})"


def this_person() -> str:
    """The name of the user this process runs as."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "somebody"


def _refuse_never_champion(ledger: Ledger, pipeline: str, number: int) -> None:
    once = {entry.version for entry in ledger.history(pipeline)}
    if number in once:
        return
    there = shortlist(f"v{version}" for version in sorted(once, reverse=True)) or "none yet"
    raise UserError(
        "CHAMPION-NEVER",
        f"{pipeline} v{number}",
        "one goes back to a version that was champion",
        f"it never was; {there} {'were' if len(once) > 1 else 'was'}",
        f"Name one of these, or use everfit promote {pipeline} --to {number}",
    )


def _refuse_gone(registry: Registry, pipeline: str, record: VersionRecord) -> None:
    """The alias can only name what MLflow has: look before the journal says so."""
    for shown in registry.versions(pipeline):
        if shown.version == record.version and shown.run_key == record.run_key:
            return
    raise IntegrityError(
        "CHAMPION-GONE",
        f"{registry.where} model {pipeline}",
        f"MLflow must hold version {record.version} of run {record.run_key[:12]}",
        "it was deleted, or this is another registry",
        "Restore MLflow's database from its backup, correct EVERFIT_MLFLOW, or choose another",
    )
