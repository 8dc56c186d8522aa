"""A registration that was cut off, finished from records: and from no others."""

from __future__ import annotations

import pytest

from everfit.champion.repair.reconcile import reconcile
from everfit.champion.repair.unfinished import intended_version
from everfit.champion.version.dossier import find_dossier, store_dossier
from everfit.champion.version.signing import verified
from everfit.contracts.base import canonical_json
from everfit.contracts.errors import IntegrityError, Unavailable
from everfit.contracts.messages.dossier import Dossier
from everfit.steps.register.step import Register
from everfit.storage.mlflow.sqlite import SqliteRegistry
from everfit.storage.store import result_key
from tests.unit.register.small_run import SPEC, small_run


def cut_off(context, monkeypatch, request) -> None:
    """Dead between the intent and the version."""

    def die(*_: object, **__: object) -> None:
        raise Unavailable("REGISTRY", "mlflow", "must answer")

    with monkeypatch.context() as patch:
        patch.setattr(SqliteRegistry, "ensure_version", die)
        with pytest.raises(Unavailable):
            Register().run(request, context)
    assert context.ledger.unfinished_registrations("fares") == [request.run_key]


def test_it_is_finished_as_the_rerun_would(context, monkeypatch):
    request = small_run(context)
    cut_off(context, monkeypatch, request)
    done = reconcile("fares", context)
    assert [report.code for report in done.reports] == ["RECONCILE-UNPROMOTED"]
    record = verified(context.ledger.version(request.run_key), "fares", context)
    assert record.dossier == find_dossier(request.run_key, context.ledger, context.store)[0]
    assert record.champion.features == ("miles", "riders")
    before = record.model_copy()
    assert Register().run(request, context).champion == 1
    assert context.ledger.version(request.run_key) == before


def test_what_it_waits_for_is_kept(context, monkeypatch):
    gate = SPEC.gate.model_copy(update={"approval": "required"})
    request = small_run(context).model_copy(update={"spec": SPEC.model_copy(update={"gate": gate})})
    cut_off(context, monkeypatch, request)
    done = reconcile("fares", context)
    assert done.reports == () and "is v1 now" in done.repaired[0]
    assert context.ledger.version(request.run_key).awaits == "approval"


CHANGES = {
    "another run": lambda r, store: r.model_copy(update={"run_key": "0" * 64}),
    "another model": lambda r, store: r.model_copy(
        update={
            "evaluated": r.evaluated.model_copy(
                update={
                    "candidate": r.evaluated.candidate.model_copy(
                        update={"model": store.put("model.skops", b"hostile")}
                    )
                }
            )
        }
    ),
    "another table": lambda r, store: r.model_copy(
        update={"prepared": r.prepared.model_copy(update={"train": r.prepared.holdout})}
    ),
    "other spans": lambda r, store: r.model_copy(update={"window": r.holdout}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_dossier_that_somebody_planted_is_not_believed(context, change):
    """Whoever can write to the store, and not to the ledger, gets no version out of it."""
    request = small_run(context)
    Register().run(request, context)
    _, dossier = find_dossier(request.run_key, context.ledger, context.store)
    planted = dossier.model_copy(update={"request": change(request, context.store)})
    kept = context.store.put("dossier.json", canonical_json(planted))
    (context.store.root / result_key("dossier", request.run_key)).unlink()
    context.store.create(result_key("dossier", request.run_key), canonical_json(kept))
    made = intended_version("fares", request.run_key, context.ledger, context.store)
    record = context.ledger.version(request.run_key)
    assert (made.dossier, made.made.model) == (record.dossier, record.champion.model)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_dossier_that_the_verdict_does_not_bear_out_is_not_believed(context, change):
    request = small_run(context)
    other = change(request, context.store)
    digest = store_dossier(other.model_copy(update={"run_key": request.run_key}), context)
    kept = Dossier.model_validate_json(context.store.get(digest))
    planted = canonical_json(kept.model_copy(update={"request": other}))
    artifact = context.store.put("dossier.json", planted)
    known = context.ledger.result("dossier", request.run_key)
    context.ledger.record_result("dossier", request.run_key, artifact.digest, known.number)
    with pytest.raises(IntegrityError, match="does not describe what was judged"):
        intended_version("fares", request.run_key, context.ledger, context.store)


def test_what_the_ledger_does_not_know_is_not_made(context):
    with pytest.raises(IntegrityError, match="no verdict for it"):
        intended_version("fares", "0" * 64, context.ledger, context.store)
