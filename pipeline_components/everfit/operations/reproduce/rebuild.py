"""Run a recorded run's own steps again, up to its model."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from everfit.contracts.base import canonical_json
from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.dossier import Dossier
from everfit.engine.context import Context
from everfit.operations.reproduce.answer import Rebuilt
from everfit.operations.reproduce.fresh_store import FreshStore
from everfit.operations.reproduce.recorded_run import Rebuild, run_record
from everfit.operations.reproduce.steps import apart_from, columns, model, snapshots, tables
from everfit.steps.prepare.step import Prepare
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
            again = work.again(Prepare(), work.order("prepare"))
            keep(again.train, fresh)
            keep(again.holdout, fresh)
            steps += tables(work, again)
            if all(one.state != "differs" for one in steps):
                document = fresh.put("prepare.json", canonical_json(again))
                trained = work.again(Train(), work.order("train", document.digest))
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
