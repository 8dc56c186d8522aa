"""A champion's settings fitted on its holdout too, as a version and champion of its own.

The refitted model is registered as a run of its own: same spec, same evidence, and a training table
that holds the rows it was judged on. So it has its version, its dossier and its place in the
journal, after that of the judged one, to which everybody can roll back.
"""

from __future__ import annotations

from everfit.champion.promotion import promotion_of
from everfit.champion.registration import Registered, register_run
from everfit.champion.version.dossier import find_dossier
from everfit.contracts.base import Digest, canonical_json
from everfit.contracts.messages.planning import Trigger
from everfit.contracts.messages.requests import RegisterRequest
from everfit.engine.context import Context
from everfit.engine.fingerprints import refit_key, spec_digest
from everfit.storage.ledger.records import PromotionRecord, RunRecord, VerdictRecord, VersionRecord
from everfit.storage.mlflow import Registry


def register_refit(
    request: RegisterRequest, context: Context, registry: Registry
) -> Registered | None:
    """Register and promote the refitted model of a run, if the run's own version is the champion.

    Returns
    -------
    Registered or None
        None where there is nothing to register (``open_refit``). The alias is not moved.
    """
    refit = open_refit(request, context)
    return None if refit is None else register_run(refit, context, registry)


def register_refit_of(run_key: Digest, context: Context, registry: Registry) -> Registered | None:
    """The same of a run that a person has approved: its dossier has what register was given."""
    found = find_dossier(run_key, context.ledger, context.store)
    return None if found is None else register_refit(found[1].request, context, registry)


def open_refit(request: RegisterRequest, context: Context) -> RegisterRequest | None:
    """The refit as a run that the ledger knows and has accepted; again: the same.

    Returns
    -------
    RegisterRequest or None
        None where there is no refitted model, or the run's version was not promoted, or another
        champion came after it before there was a version of the refit.
    """
    ledger, pipeline = context.ledger, request.spec.name
    judged = ledger.version(request.run_key)
    entry = promotion_of(pipeline, request.run_key, ledger)
    if request.refit is None or request.refit.model is None or judged is None or entry is None:
        return None
    head = ledger.champion(pipeline)
    is_head = head is not None and head.sequence == entry.sequence
    if not is_head and ledger.version(refit_key(request.run_key)) is None:
        return None
    return _opened(request, judged, entry, context)


def _opened(
    request: RegisterRequest, judged: VersionRecord, entry: PromotionRecord, context: Context
) -> RegisterRequest:
    refit, ledger = request.refit, context.ledger
    assert refit is not None and refit.model is not None and refit.train is not None
    assert refit.predictions is not None
    key = refit_key(request.run_key)
    because = f"v{judged.version} fitted on its holdout too. {request.decision.because}"
    decision = request.decision.model_copy(
        update={
            "because": because,
            "model": refit.model.model.digest,
            "training_table": refit.train.digest,
        }
    )
    kept = context.store.put("gate.json", canonical_json(decision))
    champion = judged.champion.model_copy(update={"sequence": entry.sequence})
    ledger.open_run(
        request.spec.name,
        RunRecord(
            run_key=key,
            spec=spec_digest(request.spec),
            window=tuple(span.digest for span in (*request.window, *request.holdout)),
            holdout=tuple(span.digest for span in request.holdout),
            code=request.code,
            environment=request.environment,
            seed=request.spec.train.seed,
            champion=champion,
            trigger=Trigger(run_type="refit", reason=f"of v{judged.version}"),
        ),
    )
    ledger.record_verdict(
        VerdictRecord(run_key=key, verdict="promote", because=because, decision=kept.digest)
    )
    return request.model_copy(
        update={
            "run_key": key,
            "champion": champion,
            "prepared": request.prepared.model_copy(
                update={"run_key": key, "train": refit.train, "rows_train": refit.model.rows}
            ),
            "evaluated": request.evaluated.model_copy(
                update={"candidate": refit.model, "predictions": refit.predictions}
            ),
            "decision": decision,
            "refit": None,
            "refit_of": request.run_key,
        }
    )
