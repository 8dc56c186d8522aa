"""An accepted run whose registration was cut off: what its version would have been."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from everfit.champion.promotion import Intended, champion_made, intended
from everfit.champion.version.dossier import find_dossier
from everfit.contracts.base import Digest, Frozen, digest_bytes
from everfit.contracts.errors import IntegrityError
from everfit.contracts.messages.requests import EvaluateResult, GateResult, PrepareResult
from everfit.contracts.messages.steps import Component
from everfit.storage.ledger import Ledger
from everfit.storage.ledger.records import VerdictRecord
from everfit.storage.store import Store

Result = TypeVar("Result", bound=Frozen)


def intended_version(pipeline: str, run_key: Digest, ledger: Ledger, store: Store) -> Intended:
    """The version as the rerun would record it, but its number and its tags.

    Also of a run that the gate did not accept, for a person may have. Everything comes from
    records: the model and the training table from the gate's result, whose digest the verdict
    holds; the rest from the dossier, which is stored before the intent, or from the results of the
    steps where an older Everfit kept none.

    Raises
    ------
    IntegrityError
        If the records do not suffice.
    """
    run, verdict = ledger.run(run_key), ledger.verdict(run_key)
    if run is None or verdict is None:
        raise _unknown(run_key, "the ledger has no verdict for it")
    model, train = _judged(run_key, verdict, store)
    try:
        kept = find_dossier(run_key, ledger, store)
    except ValidationError as error:
        raise _unknown(run_key, "this Everfit cannot read its dossier") from error
    if kept is not None:
        found = intended(kept[1].request, {}, kept[0])
        made = found.made
        told = (made.run_key, made.model.digest, made.train.digest, made.window, made.holdout)
        # Anybody who can write to the store can put a dossier there; the ledger settles it.
        if told != (run_key, model, train, run.window, run.holdout):
            raise _unknown(run_key, "its dossier does not describe what was judged")
        return found
    prepared = _found(
        PrepareResult,
        "prepare",
        lambda one: (one.run_key, one.train.digest) == (run_key, train),
        run_key,
        ledger,
        store,
    )
    evaluated = _found(
        EvaluateResult,
        "evaluate",
        lambda one: one.candidate.model.digest == model,
        run_key,
        ledger,
        store,
    )
    return Intended(
        pipeline=pipeline,
        made=champion_made(run_key, prepared, evaluated, run.window, run.holdout),
        description=f"{verdict.verdict}: {verdict.because}",
        tags={},
    )


def _judged(run_key: Digest, verdict: VerdictRecord, store: Store) -> tuple[Digest, Digest]:
    """The model and the training table, as the gate's result names them."""
    try:
        decision = GateResult.model_validate_json(store.get(verdict.decision))
    except ValidationError as error:
        raise _unknown(run_key, "the gate's result does not name what was trained") from error
    return decision.model, decision.training_table


def _found(
    kind: type[Result],
    component: Component,
    is_ours: Callable[[Result], bool],
    run_key: Digest,
    ledger: Ledger,
    store: Store,
) -> Result:
    """A result of the run; found by looking through all of its kind, for this is rare."""
    for where in store.keys(f"results/{component}/"):
        document = store.read(where) or b""
        known = ledger.result(component, Path(where).stem)
        if known is None or known.digest != digest_bytes(document):  # put there by others
            continue
        try:
            found = kind.model_validate_json(document)
        except ValidationError:  # of an older Everfit
            continue
        if is_ours(found):
            return found
    raise _unknown(run_key, f"the store does not have what {component} made for it")


def _unknown(run_key: Digest, found: str) -> IntegrityError:
    return IntegrityError(
        "RECONCILE-UNFINISHED",
        f"run {run_key[:12]}",
        "a registration that was begun must end in a version",
        found,
    )
