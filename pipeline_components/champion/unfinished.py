"""An accepted run whose registration was cut off: what its version would have been."""

from __future__ import annotations

import json

from pydantic import ValidationError

from pipeline_components.contracts.artifacts import Artifact
from pipeline_components.contracts.base import Digest
from pipeline_components.contracts.errors import IntegrityError
from pipeline_components.contracts.planning import ChampionRef
from pipeline_components.contracts.requests import EvaluateResult, GateResult, PrepareResult
from pipeline_components.ledger import Ledger
from pipeline_components.register.promotion import champion_made
from pipeline_components.store import Store


def intended_version(run_key: Digest, ledger: Ledger, store: Store) -> ChampionRef:
    """The version as the rerun would record it, but its number.

    Everything comes from records: the model and the training table from the decision report, whose
    digest the verdict holds, the window from the run.

    Raises
    ------
    IntegrityError
        If the records do not suffice.
    """
    run, verdict = ledger.run(run_key), ledger.verdict(run_key)
    if run is None or verdict is None or verdict.verdict != "promote":
        raise _unknown(run_key, "the ledger records no verdict that accepts it")
    try:
        decision = GateResult.model_validate_json(store.get(verdict.decision))
        report = json.loads(store.get(decision.report_json.digest))
        model = Artifact.model_validate(report["candidate"]["model"])
        prepared = _prepared(run_key, report["lineage"]["training_table"], store)
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        raise _unknown(run_key, "its decision report does not say what was trained") from error
    evaluated = _evaluated(run_key, model, store)
    return champion_made(run_key, prepared, evaluated, run.window, run.holdout)


def _evaluated(run_key: Digest, model: Artifact, store: Store) -> EvaluateResult:
    """How the candidate scored; found by looking through all, for this is rare."""
    for key in store.keys("results/evaluate/"):
        try:
            found = EvaluateResult.model_validate_json(store.read(key) or b"")
        except ValidationError:  # of an older Everfit
            continue
        if found.candidate.model.digest == model.digest:
            return found
    raise _unknown(run_key, "the store does not hold what evaluate found of it")


def _prepared(run_key: Digest, train: Digest, store: Store) -> PrepareResult:
    """The tables of the run; found by looking through all, for this is rare."""
    for key in store.keys("results/prepare/"):
        try:
            found = PrepareResult.model_validate_json(store.read(key) or b"")
        except ValidationError:  # of an older Everfit
            continue
        if (found.run_key, found.train.digest) == (run_key, train):
            return found
    raise _unknown(run_key, "the store does not hold what prepare made for it")


def _unknown(run_key: Digest, found: str) -> IntegrityError:
    return IntegrityError(
        "RECONCILE-UNFINISHED", f"run {run_key[:12]}",
        "an intent to register must end in a version", found,
    )  # fmt: skip
