"""A person answers for the version that waits: approved and promoted, or refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from everfit.champion.agreement import refuse_other_registry
from everfit.champion.approvals import told
from everfit.champion.lookup import find_version
from everfit.champion.overrule import named_person, refuse_gone, short_reason
from everfit.champion.promotion import AWAITS, NOTHING, project_alias, promote_waiting, promotion_of
from everfit.champion.refit import register_refit_of
from everfit.champion.servable import check_servable
from everfit.contracts.errors import UserError
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.engine.context import Context
from everfit.storage.ledger.records import ApprovalRecord, PromotionRecord, VersionRecord
from everfit.storage.mlflow import open_registry

TAG = "everfit.approval"


@dataclass(frozen=True)
class Answered:
    """What came of it."""

    record: VersionRecord
    approval: ApprovalRecord
    """The first answer, which is the one that counts."""
    entry: PromotionRecord | None
    """The version's place in the journal; None where it was refused, or came too late."""
    before: int | None
    """The champion until then."""
    champion: int | None
    """The version that serves now."""
    changed: bool
    """Whether this attempt recorded the answer, or moved the alias."""


def answer(
    what: Literal["approve", "refuse"],
    spec: PipelineSpec,
    number: int,
    reason: str,
    person: str,
    context: Context,
) -> Answered:
    """Record a person's answer about a version that waits for it, and do what it says.

    Approving promotes it by the same compare-and-set as the gate would: only while the champion
    is still the one the version was judged against. Killed anywhere, the same answer finishes.

    Parameters
    ----------
    reason : str
        May be empty where the version is approved: the gate has said why.

    Raises
    ------
    UserError
        If the version does not wait, was answered otherwise, or could not serve any more.
    IntegrityError
        If the store or MLflow lost it.
    """
    pipeline, ledger = spec.name, context.ledger
    why = short_reason(reason, needed=what == "refuse")
    who = named_person(person)
    record = find_version(ledger, pipeline, number)
    if record.awaits != "approval":
        raise UserError(
            "CHAMPION-WAITS",
            f"{pipeline} v{number}",
            "only a version that is waiting for approval can be approved or refused",
            "the pipeline only observes, so nobody is asked"
            if record.awaits
            else "it is not waiting",
            f"To make it champion anyway: everfit promote {pipeline} --to {number}",
        )
    known, head, entry = ledger.approval(record.run_key), ledger.champion(pipeline), None
    if known is not None and known.answer != what:
        raise _answered(pipeline, number, known)
    promotes = what == "approve" and promotion_of(pipeline, record.run_key, ledger) is None
    if promotes:
        check_servable(spec, record, context)
    with open_registry(context.settings, pipeline) as registry:
        refuse_other_registry(pipeline, context, registry, may_be_lost=True)
        if promotes:
            refuse_gone(registry, pipeline, record)
        approval = known or ledger.record_approval(
            pipeline,
            ApprovalRecord(run_key=record.run_key, answer=what, person=who, reason=why),
        )
        if approval.answer != what:  # somebody answered meanwhile
            raise _answered(pipeline, number, approval)
        served = registry.alias(pipeline)
        if what == "approve":
            entry = promote_waiting(pipeline, record.run_key, context, registry)
            if entry is not None:
                register_refit_of(record.run_key, context, registry)
        registry.tag_version(pipeline, number, {AWAITS: NOTHING, TAG: told(approval)})
        champion = project_alias(pipeline, ledger, registry)
    return Answered(
        record=record,
        approval=approval,
        entry=entry,
        before=head.version if head else None,
        champion=champion,
        changed=known is None or served != champion,
    )


def _answered(pipeline: str, number: int, approval: ApprovalRecord) -> UserError:
    return UserError(
        "CHAMPION-ANSWERED",
        f"{pipeline} v{number}",
        "a version is approved or refused once; the first answer is final",
        f"it was {told(approval)}",
        f"To make it champion anyway: everfit promote {pipeline} --to {number}; to go back: "
        f"everfit rollback {pipeline}",
    )
