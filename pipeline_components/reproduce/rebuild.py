"""Do a recorded run's steps again, through the components' own doors, up to its model."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from pipeline_components.context import Context
from pipeline_components.contracts.artifacts import Artifact
from pipeline_components.contracts.base import canonical_json
from pipeline_components.contracts.dossier import Dossier
from pipeline_components.contracts.requests import PrepareResult, TrainResult
from pipeline_components.ledger import open_ledger
from pipeline_components.store import Store

from .answer import Rebuilt
from .fresh_store import FreshStore
from .recorded_run import Rebuild, run_record
from .steps import apart_from, columns, model, snapshots, tables


def rebuild(
    dossier: Dossier, called: str, real: Context, keep: Callable[[Artifact, Store], None]
) -> Rebuilt:
    """Rebuild a version and hold every step against the record.

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
    request = dossier.request
    candidate = request.evaluated.candidate
    prepared = request.prepared
    made = [prepared.train, prepared.holdout, prepared.proof, candidate.model]
    fresh = FreshStore(real.scratch / "store", real.store, [one.digest for one in made])
    with open_ledger(f"sqlite:///{real.scratch}/ledger.db") as ledger:
        ledger.open_run(request.spec.name, run_record(dossier))
        work = Rebuild(dossier, called, real.store, replace(real, store=fresh, ledger=ledger))
        steps = [snapshots(work), columns(work)]
        trained, apart = None, None
        if steps[-1].state != "differs":
            again = work.again("prepare", PrepareResult, work.order("prepare"))
            keep(again.train, fresh)
            keep(again.holdout, fresh)
            steps += tables(work, again)
            if all(one.state != "differs" for one in steps):
                document = fresh.put("prepare.json", canonical_json(again))
                trained = work.again("train", TrainResult, work.order("train", document.digest))
                keep(trained.model, fresh)
                apart = apart_from(work, trained)
                steps.append(model(candidate, trained, apart))
    return Rebuilt(
        run_key=request.run_key,
        steps=tuple(steps),
        recorded=candidate.model.digest,
        found=trained.model.digest if trained else None,
        apart=apart,
        threads=request.spec.train.threads,
        seconds=round(time.monotonic() - began, 3),
    )
