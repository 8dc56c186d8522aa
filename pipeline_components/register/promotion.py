"""From a verdict to a version and a champion, with the ledger as the only authority."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline_components.contracts.base import Digest
from pipeline_components.contracts.errors import IntegrityError, Superseded, Unavailable
from pipeline_components.contracts.planning import ChampionRef
from pipeline_components.contracts.requests import (
    EvaluateResult,
    PrepareResult,
    RegisterRequest,
)
from pipeline_components.ledger import Ledger
from pipeline_components.ledger.records import PromotionRecord, VersionRecord
from pipeline_components.registry import Registry


def register_version(
    request: RegisterRequest, run: str, tags: dict[str, str], ledger: Ledger, registry: Registry
) -> VersionRecord:
    """Make sure the run has its one version: intent, effect, record.

    Returns
    -------
    VersionRecord
        The one that counts, be it of this attempt or of an earlier one.
    """
    decision, made = request.decision, candidate_of(request)
    description = f"{decision.verdict}: {decision.because}"
    return make_version(request.spec.name, made, run, tags, description, ledger, registry)


def candidate_of(request: RegisterRequest) -> ChampionRef:
    """The candidate of a request, before it has a version."""
    return champion_made(
        request.run_key,
        request.prepared,
        request.evaluated,
        tuple(span.digest for span in request.window),
        tuple(span.digest for span in request.holdout),
    )


def champion_made(
    run_key: Digest, prepared: PrepareResult, evaluated: EvaluateResult,
    window: tuple[Digest, ...], holdout: tuple[Digest, ...],
) -> ChampionRef:  # fmt: skip
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
        signature={c.name: c.type for c in prepared.columns if c.role == "feature"},
    )


def features_of(prepared: PrepareResult) -> tuple[str, ...]:
    """The columns that a model trained on these tables reads."""
    return tuple(column.name for column in prepared.columns if column.role == "feature")


def make_version(
    pipeline: str, made: ChampionRef, run: str, tags: Mapping[str, str], description: str,
    ledger: Ledger, registry: Registry,
) -> VersionRecord:  # fmt: skip
    """Intent, effect, record; ``made`` is the version as it will be recorded, but its number."""
    recorded = ledger.version(made.run_key)
    ledger.intend_registration(pipeline, made.run_key)
    version = registry.ensure_version(
        pipeline, made.run_key, run, tags, description,
        known=recorded.version if recorded else None,
    )  # fmt: skip
    if recorded is not None:
        return recorded
    _refuse_taken_number(pipeline, version, made.run_key, ledger)
    return ledger.record_version(
        pipeline,
        VersionRecord(
            run_key=made.run_key,
            version=version,
            mlflow_run=run,
            champion=made.model_copy(update={"version": version}),
        ),
    )


def promote(request: RegisterRequest, version: int, ledger: Ledger) -> PromotionRecord | None:
    """Append the run to the champion's journal, if its head is still the champion it was judged by.

    Returns
    -------
    PromotionRecord or None
        The run's place in the journal, be it of this attempt or of an earlier one; None where
        another run was promoted meanwhile, so that this one stays a challenger.
    """
    pipeline = request.spec.name
    for entry in ledger.history(pipeline):
        if entry.run_key == request.run_key and entry.kind != "rollback":
            return entry
    try:
        return ledger.promote(
            pipeline,
            PromotionRecord(
                sequence=request.champion.sequence + 1 if request.champion else 1,
                version=version,
                run_key=request.run_key,
                kind="promote",
                reason=request.decision.because,
            ),
        )
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
        "@champion must stay where the ledger says",
        "somebody else moves it again and again",
        "Find out who, for only Everfit may move it; the task tries again",
    )


def _refuse_taken_number(pipeline: str, version: int, run_key: Digest, ledger: Ledger) -> None:
    """A registry that was reset counts from 1 again: its numbers would lie about the journal."""
    for record in ledger.versions(pipeline):
        if record.version == version and record.run_key != run_key:
            raise IntegrityError(
                "REGISTRY-RESET",
                f"model {pipeline}",
                f"a new version must have a number the ledger has not used; it already records "
                f"version {version} of run {record.run_key[:12]}",
                "MLflow was emptied, or is another one",
                "Restore MLflow's database from its backup, or give this one a ledger of its own",
            )
