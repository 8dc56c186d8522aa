"""An accepted run whose registration was cut off: what its version would have been."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

from pydantic import ValidationError

from pipeline_components.contracts.artifacts import Artifact
from pipeline_components.contracts.base import Digest, Frozen
from pipeline_components.contracts.errors import IntegrityError
from pipeline_components.contracts.requests import EvaluateResult, GateResult, PrepareResult
from pipeline_components.contracts.steps import Component
from pipeline_components.ledger import Ledger
from pipeline_components.ledger.records import VerdictRecord
from pipeline_components.store import Store
from pipeline_components.version.dossier import find_dossier
from pipeline_components.version.promotion import Intended, champion_made, intended

Result = TypeVar("Result", bound=Frozen)


def intended_version(pipeline: str, run_key: Digest, ledger: Ledger, store: Store) -> Intended:
    """The version as the rerun would record it, but its number and its tags.

    Also of a run that the gate did not accept, for a person may have. Everything comes from
    records: the model and the training table from the decision report, whose digest the verdict
    holds; the rest from the dossier, which is stored before the intent, or from the results of the
    steps where an older Everfit kept none.

    Raises
    ------
    IntegrityError
        If the records do not suffice.
    """
    run, verdict = ledger.run(run_key), ledger.verdict(run_key)
    if run is None or verdict is None:
        raise _unknown(run_key, "the ledger records no verdict about it")
    model, train = _judged(run_key, verdict, store)
    try:
        kept = find_dossier(run_key, store)
    except ValidationError as error:
        raise _unknown(run_key, "its dossier is none that this Everfit can read") from error
    if kept is not None:
        found = intended(kept[1].request, {}, kept[0])
        made = found.made
        told = (made.run_key, made.model.digest, made.train.digest, made.window, made.holdout)
        # Anybody who can write to the store can put a dossier there; the ledger settles it.
        if told != (run_key, model.digest, train, run.window, run.holdout):
            raise _unknown(run_key, "its dossier is not of what was judged")
        return found
    prepared = _found(
        PrepareResult, "prepare", lambda one: (one.run_key, one.train.digest) == (run_key, train),
        run_key, store,
    )  # fmt: skip
    evaluated = _found(
        EvaluateResult, "evaluate", lambda one: one.candidate.model.digest == model.digest,
        run_key, store,
    )  # fmt: skip
    return Intended(
        pipeline=pipeline,
        made=champion_made(run_key, prepared, evaluated, run.window, run.holdout),
        description=f"{verdict.verdict}: {verdict.because}",
        tags={},
    )


def _judged(run_key: Digest, verdict: VerdictRecord, store: Store) -> tuple[Artifact, Digest]:
    """The model and the digest of the training table, as the decision report names them."""
    try:
        decision = GateResult.model_validate_json(store.get(verdict.decision))
        report = json.loads(store.get(decision.report_json.digest))
        model = Artifact.model_validate(report["candidate"]["model"])
        return model, str(report["lineage"]["training_table"])
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        raise _unknown(run_key, "its decision report does not say what was trained") from error


def _found(
    kind: type[Result], component: Component, is_ours: Callable[[Result], bool], run_key: Digest,
    store: Store,
) -> Result:  # fmt: skip
    """A result of the run; found by looking through all of its kind, for this is rare."""
    for key in store.keys(f"results/{component}/"):
        try:
            found = kind.model_validate_json(store.read(key) or b"")
        except ValidationError:  # of an older Everfit
            continue
        if is_ours(found):
            return found
    raise _unknown(run_key, f"the store does not hold what {component} made for it")


def _unknown(run_key: Digest, found: str) -> IntegrityError:
    return IntegrityError(
        "RECONCILE-UNFINISHED", f"run {run_key[:12]}",
        "an intent to register must end in a version", found,
    )  # fmt: skip
