"""Run a recorded run's own steps again, up to its model."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from pydantic import ValidationError

from everfit.contracts.base import Digest, canonical_json
from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.dossier import Dossier
from everfit.contracts.messages.requests import PrepareResult
from everfit.contracts.messages.training import RefitRequest, TrainResult
from everfit.engine.context import Context
from everfit.ml.families.request import train_request
from everfit.operations.reproduce.answer import Apart, RebuildStep, Rebuilt
from everfit.operations.reproduce.fresh_store import FreshStore
from everfit.operations.reproduce.recorded_run import Rebuild, run_record, unreadable
from everfit.operations.reproduce.steps import apart_from, columns, model, snapshots, tables
from everfit.steps.prepare.step import Prepare
from everfit.steps.refit.step import Refit
from everfit.steps.train.step import Train
from everfit.storage.ledger import open_ledger
from everfit.storage.store import Store


def rebuild(
    dossier: Dossier, called: str, real: Context, keep: Callable[[Artifact, Store], None]
) -> Rebuilt:
    """Rebuild a version and compare every step with the record.

    Parameters
    ----------
    dossier : Dossier
    called : str
        What to call the version.
    real : Context
        Its store is only read, and its ledger is not used.
    keep : callable
        Given each artifact as soon as it is made, and the store it is in.

    Raises
    ------
    IntegrityError
        If a snapshot or a recorded document is missing or altered.
    UserError
        If this code cannot read the recorded documents.
    """
    began = time.monotonic()
    judged = _judged(dossier, called, real.store)
    fresh = FreshStore(real.scratch / "store", real.store, _made_by(judged) | _made_by(dossier))
    with open_ledger(f"sqlite:///{real.scratch}/ledger.db") as ledger:
        ledger.open_run(judged.request.spec.name, run_record(judged))
        work = Rebuild(judged, called, real.store, replace(real, store=fresh, ledger=ledger))
        made = _chain(work, keep)
        if dossier.judged is not None and made.model is not None:
            made = _refit(replace(work, dossier=dossier), made, keep)
    return Rebuilt(
        run_key=dossier.request.run_key,
        steps=made.steps,
        recorded=dossier.request.evaluated.candidate.model.digest,
        found=made.model.model.digest if made.model else None,
        apart=made.apart,
        threads=dossier.request.spec.train.threads,
        seconds=round(time.monotonic() - began, 3),
    )


@dataclass(frozen=True)
class _Made:
    """What came of the steps so far."""

    steps: tuple[RebuildStep, ...]
    prepared: PrepareResult | None = None
    model: TrainResult | None = None
    """None where a step before it differs."""
    apart: Apart | None = None


def _chain(work: Rebuild, keep: Callable[[Artifact, Store], None]) -> _Made:
    """Snapshots to the judged model."""
    steps = [snapshots(work), columns(work)]
    if steps[-1].state == "differs":
        return _Made(tuple(steps))
    fresh = work.context.store
    again = work.again(Prepare(), work.order("prepare"))
    keep(again.train, fresh)
    keep(again.holdout, fresh)
    steps += tables(work, again)
    if any(one.state == "differs" for one in steps):
        return _Made(tuple(steps))
    document = fresh.put("prepare.json", canonical_json(again))
    trained = work.again(Train(), work.order("train", document.digest))
    keep(trained.model, fresh)
    apart = apart_from(work, trained)
    steps.append(model("model", work.dossier.request.evaluated.candidate, trained, apart))
    return _Made(tuple(steps), again, trained, apart)


def _refit(work: Rebuild, made: _Made, keep: Callable[[Artifact, Store], None]) -> _Made:
    """The refit of the rebuilt model; ``work`` is that of the refit's own dossier."""
    assert made.prepared is not None and made.model is not None
    request = work.dossier.request
    (family,) = (one for one in request.spec.train.families if one.name == made.model.family)
    asked = RefitRequest(
        run_key=request.run_key,
        verdict="promote",
        judged=made.model,
        fit=train_request(request.spec, family, made.prepared),
        holdout=made.prepared.holdout,
        sample=request.evaluated.sample,
    )
    scratch = work.context.scratch / "refit"
    scratch.mkdir()
    found = Refit().run(asked, replace(work.context, scratch=scratch))
    if found.model is None:
        step = RebuildStep(name="refitted model", state="differs", told=found.because)
        return _Made((*made.steps, step))
    keep(found.model.model, work.context.store)
    apart = apart_from(work, found.model)
    step = model("refitted model", request.evaluated.candidate, found.model, apart)
    return _Made((*made.steps, step), made.prepared, found.model, apart)


def _judged(dossier: Dossier, called: str, store: Store) -> Dossier:
    """The dossier itself; of a refit, that of the version whose settings were fitted once more."""
    if dossier.judged is None:
        return dossier
    try:
        return Dossier.model_validate_json(store.get(dossier.judged))
    except ValidationError as error:
        raise unreadable(called, "the dossier of the version it is a refit of") from error


def _made_by(dossier: Dossier) -> frozenset[Digest]:
    """What the recorded run has made, and the rebuild makes again."""
    prepared = dossier.request.prepared
    made = (prepared.train, prepared.holdout, prepared.proof)
    return frozenset(one.digest for one in (*made, dossier.request.evaluated.candidate.model))
