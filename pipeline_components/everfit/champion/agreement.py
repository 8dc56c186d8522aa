"""MLflow follows the ledger: one that knows more is refused, one that is behind is brought up."""

from __future__ import annotations

from collections.abc import Iterator

from everfit.champion.promotion import DEPLOYMENT, PROMOTION, project_alias
from everfit.contracts.base import Digest
from everfit.contracts.errors import shortlist
from everfit.contracts.wording import count
from everfit.engine.context import Context
from everfit.storage.deployment import other_deployment
from everfit.storage.mlflow import Registry, database_path, open_registry


def bring_up_to_date(pipeline: str, context: Context) -> None:
    """Refuse a registry that is not the ledger's; let ``@champion`` name what the journal does.

    Raises
    ------
    IntegrityError
        If the registry is of another deployment, or lost what the ledger records.
    """
    if not context.is_real:
        return
    path = database_path(context.settings)
    if path is not None and not path.exists():  # nothing is made only to be looked at
        if recorded := [one for one in context.ledger.versions(pipeline) if one.signature]:
            raise other_deployment(f"MLflow {path}", _none_of(len(recorded)), pipeline)
        return
    with open_registry(context.settings, pipeline) as registry:
        refuse_other_registry(pipeline, context, registry)
        if registry.alias(pipeline) != _served(pipeline, context):
            project_alias(pipeline, context.ledger, registry)


def refuse_other_registry(
    pipeline: str, context: Context, registry: Registry, *, may_be_lost: bool = False
) -> None:
    """Make sure that the registry holds what this ledger has put there, and nothing else.

    Parameters
    ----------
    may_be_lost : bool
        One that has lost every version is let pass: the caller says what is to be done.

    Raises
    ------
    IntegrityError
        If it knows a version or a promotion that the ledger does not, or none of its versions.
    """
    found = "; ".join(_differences(pipeline, context, registry, may_be_lost))
    if found:
        raise other_deployment(f"{registry.where} model {pipeline}", found, pipeline)


def _differences(
    pipeline: str, context: Context, registry: Registry, may_be_lost: bool
) -> Iterator[str]:
    # In this order: whatever MLflow shows was intended in the ledger before, and is recorded after.
    shown, ledger = registry.versions(pipeline), context.ledger
    intended = frozenset(ledger.unfinished_registrations(pipeline))
    recorded = {record.run_key: record for record in ledger.versions(pipeline)}
    head, ours = ledger.champion(pipeline), ledger.deployment()
    reached = head.sequence if head else 0
    strange = [
        f"v{one.version}"
        for one in shown
        if one.run_key not in recorded and one.run_key not in intended
    ]
    if strange:
        yield (
            f"it has {shortlist(strange)}, which the ledger does not know (delete what was "
            "created there by hand)"
        )
    others = {name for one in shown if (name := one.tags.get(DEPLOYMENT)) and name != ours}
    if others:
        named = shortlist(name[:8] for name in sorted(others))
        yield f"it is of deployment {named}, and the ledger of {(ours or 'none')[:8]}"
    ahead = [
        f"v{one.version}"
        for one in shown
        if (number := one.tags.get(PROMOTION, "")).isdecimal() and int(number) > reached
    ]
    if ahead:
        yield f"it shows promotions of {shortlist(ahead)} that the ledger's journal does not have"
    made = [record for record in recorded.values() if record.signature]  # as all of ours are
    if made and not may_be_lost and not any(one.run_key in recorded for one in shown):
        yield _none_of(len(made))


def is_logged(pipeline: str, run_key: Digest, context: Context) -> bool:
    """Whether MLflow shows the finished run of a key; also where nothing says that it should.

    Nothing does where there is no MLflow yet, in a replay, and where retention removed the run.
    """
    path, verdict = database_path(context.settings), context.ledger.verdict(run_key)
    if not context.is_real or (path is not None and not path.exists()) or verdict is None:
        return True
    if any(removal.digest == verdict.decision for removal in context.ledger.removals(pipeline)):
        return True
    with open_registry(context.settings, pipeline) as registry:
        found = registry.runs(pipeline)
    return any((run.run_key, run.status) == (run_key, "FINISHED") for run in found)


def _none_of(recorded: int) -> str:
    return f"it has none of the {count(recorded, 'version')} that the ledger records"


def _served(pipeline: str, context: Context) -> int | None:
    head = context.ledger.champion(pipeline)
    return head.version if head else None
