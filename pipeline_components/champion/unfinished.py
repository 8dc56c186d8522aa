"""An accepted run whose registration was cut off: what its version would have been."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

from pydantic import ValidationError

from pipeline_components.contracts.artifacts import Artifact
from pipeline_components.contracts.base import Digest, Frozen
from pipeline_components.contracts.errors import IntegrityError
from pipeline_components.contracts.planning import ChampionRef
from pipeline_components.contracts.requests import EvaluateResult, GateResult, PrepareResult
from pipeline_components.contracts.steps import Component
from pipeline_components.ledger import Ledger
from pipeline_components.register.promotion import champion_made
from pipeline_components.store import Store

Result = TypeVar("Result", bound=Frozen)


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
        train: str = report["lineage"]["training_table"]
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        raise _unknown(run_key, "its decision report does not say what was trained") from error
    prepared = _found(
        PrepareResult, "prepare", lambda one: (one.run_key, one.train.digest) == (run_key, train),
        run_key, store,
    )  # fmt: skip
    evaluated = _found(
        EvaluateResult, "evaluate", lambda one: one.candidate.model.digest == model.digest,
        run_key, store,
    )  # fmt: skip
    return champion_made(run_key, prepared, evaluated, run.window, run.holdout)


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
