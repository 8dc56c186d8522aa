"""From a verdict to a version and a champion, with the ledger as the only authority."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from everfit.champion.seal import sealed
from everfit.champion.version.signing import signed
from everfit.contracts.base import Digest
from everfit.contracts.errors import IntegrityError, RequestError, Superseded, Unavailable
from everfit.contracts.messages.planning import ChampionRef
from everfit.contracts.messages.requests import EvaluateResult, PrepareResult, RegisterRequest
from everfit.contracts.spec.metrics import metric_title
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.engine.context import Context
from everfit.storage.deployment import claim
from everfit.storage.ledger import Ledger
from everfit.storage.ledger.records import PromotionRecord, VersionRecord
from everfit.storage.mlflow import ALIAS, Registry
from everfit.storage.mlflow.base import LONGEST_DESCRIPTION, clipped

Awaits = Literal["", "observe", "approval"]

AWAITS = "everfit.awaits"
"""The tag of a version in MLflow that says what it waits for."""

DEPLOYMENT = "everfit.deployment"
"""The tag that says of which deployment the ledger is that has the version."""

PROMOTION = "everfit.promotion"
"""The tag with the version's place in the journal, or that another came first."""

SIGNATURE = "everfit.signature"
"""The tag that repeats the signature of the version's record."""

NOTHING = "nothing"
"""Its value where the version waited, and is promoted, refused or superseded now."""


@dataclass(frozen=True)
class Intended:
    """A version as it will be recorded, but its number."""

    pipeline: str
    made: ChampionRef
    description: str
    tags: Mapping[str, str]
    awaits: Awaits = ""
    about: str = ""
    """What the registered model is."""
    dossier: Digest | None = None


def intended(request: RegisterRequest, tags: Mapping[str, str], dossier: Digest | None) -> Intended:
    """The version of a request whose verdict is to promote."""
    return Intended(
        pipeline=request.spec.name,
        made=candidate_of(request),
        description=f"{request.decision.verdict}: {request.decision.because}",
        tags=tags,
        about=model_about(request.spec),
        awaits="" if request.refit_of else awaited(request.spec),
        dossier=dossier,
    )


def model_about(spec: PipelineSpec) -> str:
    """What MLflow says of the registered model: its purpose, its target, and what serves."""
    lines = [
        spec.description.strip(),
        f"Predicts `{spec.target.name}` ({spec.task}), judged by "
        f"{metric_title(spec.primary_metric)}." + (f" Owner: {spec.owner}." if spec.owner else ""),
        "Each version was accepted by the gate of the Everfit pipeline "
        f"`{spec.name}`, or promoted by a person; `@{ALIAS}` is the one that serves. Why: "
        f"`everfit explain {spec.name} VERSION`, or the decision report of the version's run.",
    ]
    return clipped("\n\n".join(filter(None, lines)), LONGEST_DESCRIPTION)


def awaited(spec: PipelineSpec) -> Awaits:
    """What an accepted version of the pipeline waits for before it is promoted; empty: nothing."""
    if spec.gate.mode == "observe":
        return "observe"
    return "approval" if spec.gate.approval == "required" else ""


def candidate_of(request: RegisterRequest) -> ChampionRef:
    """The candidate of a request, before it has a version.

    One that was refitted has seen the holdout too.
    """
    holdout = tuple(span.digest for span in request.holdout)
    window = tuple(span.digest for span in request.window)
    return champion_made(
        request.run_key,
        request.prepared,
        request.evaluated,
        (*window, *holdout) if request.refit_of else window,
        holdout,
    )


def champion_made(
    run_key: Digest,
    prepared: PrepareResult,
    evaluated: EvaluateResult,
    window: tuple[Digest, ...],
    holdout: tuple[Digest, ...],
) -> ChampionRef:
    """A candidate as later runs and monitoring see it, before it has a version."""
    return ChampionRef(
        version=0,
        run_key=run_key,
        model=evaluated.candidate.model,
        train=prepared.train,
        features=features_of(prepared),
        window=window,
        sequence=0,
        holdout=holdout,
        scores={name: found.value for name, found in evaluated.scores["candidate"].items()},
        losses=evaluated.losses,
        importances=evaluated.importances,
        importance_groups=evaluated.importance_groups,
        signature={c.name: c.type for c in prepared.columns if c.role == "feature"},
        weight=None if prepared.weights is None else prepared.weights.by,
    )


def features_of(prepared: PrepareResult) -> tuple[str, ...]:
    """The columns that a model trained on these tables reads."""
    return tuple(column.name for column in prepared.columns if column.role == "feature")


def make_version(wanted: Intended, run: str, context: Context, registry: Registry) -> VersionRecord:
    """Make sure the run has its one version: intent, effect, record.

    Returns
    -------
    VersionRecord
        The one that counts, be it of this attempt or of an earlier one.
    """
    pipeline, made, ledger = wanted.pipeline, wanted.made, context.ledger
    recorded = ledger.version(made.run_key)
    tags = {
        **wanted.tags,
        **(version_tags(recorded) if recorded else {}),
        DEPLOYMENT: claim(ledger, context.store),
    }
    if recorded is None:
        _refuse_emptied(pipeline, ledger, registry)
    ledger.intend_registration(pipeline, made.run_key)
    version = registry.ensure_version(
        pipeline,
        made.run_key,
        run,
        tags,
        wanted.description,
        known=recorded.version if recorded else None,
        about=wanted.about,
    )
    if recorded is not None:
        return recorded
    _refuse_taken_number(pipeline, version, made.run_key, ledger)
    record = VersionRecord(
        run_key=made.run_key,
        version=version,
        mlflow_run=run,
        champion=made.model_copy(update={"version": version}),
        awaits=wanted.awaits,
        dossier=wanted.dossier,
    )
    recorded = ledger.record_version(pipeline, signed(record, pipeline, context.settings))
    registry.tag_version(pipeline, version, version_tags(recorded))
    return recorded


@dataclass(frozen=True)
class Settled:
    """What a registered version has come to."""

    superseded: bool
    """Another run was promoted meanwhile: it stays a challenger."""
    awaits: Awaits
    """What it still waits for."""
    tags: Mapping[str, str]
    """What MLflow shows of that."""


def settled(request: RegisterRequest, recorded: VersionRecord, context: Context) -> Settled:
    """Promote a registered version, unless it waits for somebody, or somebody was faster.

    Where a person approved and the process that was to promote it died, it is promoted here.
    """
    pipeline, ledger = request.spec.name, context.ledger
    entry = promotion_of(pipeline, recorded.run_key, ledger)
    if entry is None and recorded.awaits and not is_late(pipeline, request.champion, ledger):
        answer = ledger.approval(recorded.run_key)
        if answer is None:
            return Settled(superseded=False, awaits=recorded.awaits, tags={})
        if answer.answer == "refuse":
            return Settled(superseded=False, awaits="", tags={AWAITS: NOTHING})
    if entry is None:
        entry = _promote(pipeline, recorded, request.champion, context)
    return Settled(superseded=entry is None, awaits="", tags=promotion_tags(recorded, entry))


def promote_waiting(
    pipeline: str, run_key: Digest, context: Context, registry: Registry
) -> PromotionRecord | None:
    """Promote a version that waited and was approved: journal, tags, alias; again: the same.

    Returns
    -------
    PromotionRecord or None
        Its place in the journal. None where the champion it was judged against is none any more:
        then it stays a challenger, and MLflow says so.

    Raises
    ------
    RequestError
        If there is no such version, or nobody has approved of it.
    """
    ledger = context.ledger
    run, recorded, answer = ledger.run(run_key), ledger.version(run_key), ledger.approval(run_key)
    if run is None or recorded is None or answer is None or answer.answer != "approve":
        raise RequestError(
            "REGISTER-APPROVAL",
            f"{pipeline} run {run_key[:12]}",
            "a waiting version is promoted once a person has approved it",
            "there is no such version" if recorded is None else "nobody has",
            f"List what exists with everfit history {pipeline}",
        )
    entry = promotion_of(pipeline, run_key, ledger)
    entry = entry or _promote(pipeline, recorded, run.champion, context)
    registry.tag_version(pipeline, recorded.version, promotion_tags(recorded, entry))
    project_alias(pipeline, ledger, registry)
    return entry


def promotion_of(pipeline: str, run_key: Digest, ledger: Ledger) -> PromotionRecord | None:
    """The entry of the journal by which a run's version first became champion; not a rollback."""
    for entry in ledger.history(pipeline):
        if entry.run_key == run_key and entry.kind != "rollback":
            return entry
    return None


def version_tags(recorded: VersionRecord) -> dict[str, str]:
    """What MLflow shows of a version's record; what it waits for while nobody has answered."""
    tags = {SIGNATURE: recorded.signature, AWAITS: recorded.awaits}
    return {name: value for name, value in tags.items() if value}


def promotion_tags(recorded: VersionRecord, entry: PromotionRecord | None) -> dict[str, str]:
    """What MLflow shows of a version that is through, be it promoted or superseded."""
    tags = {PROMOTION: str(entry.sequence) if entry else "superseded"}
    return {**tags, AWAITS: NOTHING} if recorded.awaits else tags


def is_late(pipeline: str, judged_by: ChampionRef | None, ledger: Ledger) -> bool:
    """Whether another run was promoted since the champion that this one was judged by."""
    head = ledger.champion(pipeline)
    return (head.sequence if head else 0) != (judged_by.sequence if judged_by else 0)


def _reason_of(run_key: Digest, ledger: Ledger) -> str:
    """Why the version is promoted: what the gate said, and who approved of it and why."""
    verdict, answer = ledger.verdict(run_key), ledger.approval(run_key)
    because = verdict.because if verdict else ""
    if answer is None:
        return because
    said = f": {answer.reason}" if answer.reason else "."
    return f"{because} Approved by {answer.person}{said}".strip()


def _promote(
    pipeline: str, recorded: VersionRecord, judged_by: ChampionRef | None, context: Context
) -> PromotionRecord | None:
    """Append to the champion's journal, if its head is still the champion it was judged by.

    The head's sequence number is the fencing token: it was pinned when the run was opened, and an
    attempt that brings an older one has lost.

    Returns
    -------
    PromotionRecord or None
        None where another run was promoted meanwhile.
    """
    ledger = context.ledger
    answer, run = ledger.approval(recorded.run_key), ledger.run(recorded.run_key)
    entry = PromotionRecord(
        sequence=judged_by.sequence + 1 if judged_by else 1,
        version=recorded.version,
        run_key=recorded.run_key,
        kind="refit" if run and run.trigger.is_refit else "promote",
        reason=_reason_of(recorded.run_key, ledger),
        person=answer.person if answer else "",
    )
    try:
        return ledger.promote(pipeline, sealed(entry, pipeline, context))
    except Superseded:
        return None


def project_alias(pipeline: str, ledger: Ledger, registry: Registry) -> int | None:
    """Make ``@champion`` name what the journal's head names, also where a hand has moved it.

    Returns
    -------
    int or None
        The version the alias names now.
    """
    for _ in range(10):
        head = ledger.champion(pipeline)
        wanted = head.version if head else None
        if registry.alias(pipeline) != wanted:
            registry.set_alias(pipeline, wanted)
        # Another run may have been promoted between our look at the journal and our write, and
        # have written the alias before us: whoever writes last looks again.
        again = ledger.champion(pipeline)
        if (again.version if again else None) == wanted and registry.alias(pipeline) == wanted:
            return wanted
    raise Unavailable(
        "REGISTRY-ALIAS",
        f"model {pipeline}",
        "@champion must stay on the version the ledger names",
        "something else keeps moving it",
        "Find out what moves it: only Everfit may. The task retries",
    )


def _refuse_emptied(pipeline: str, ledger: Ledger, registry: Registry) -> None:
    """A registry that was emptied counts from 1 again: its numbers would lie about the journal."""
    recorded = ledger.versions(pipeline)
    if recorded and not registry.versions(pipeline):
        raise _reset(pipeline, recorded[0])


def _refuse_taken_number(pipeline: str, version: int, run_key: Digest, ledger: Ledger) -> None:
    """A number that the ledger has used belongs to another registry."""
    for record in ledger.versions(pipeline):
        if record.version == version and record.run_key != run_key:
            raise _reset(pipeline, record)


def _reset(pipeline: str, taken: VersionRecord) -> IntegrityError:
    return IntegrityError(
        "REGISTRY-RESET",
        f"model {pipeline}",
        f"a new version must have a number the ledger has not used; it already records version "
        f"{taken.version} of run {taken.run_key[:12]}",
        "MLflow was emptied, or this is a different MLflow",
        f"Rebuild it with everfit reconcile {pipeline} --rebuild, correct EVERFIT_MLFLOW, or "
        "give this one a ledger of its own",
    )
