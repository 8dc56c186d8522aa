"""A registration that was cut off, finished from records: and from no others."""

from __future__ import annotations

import pytest

from pipeline_components.champion.reconcile import reconcile
from pipeline_components.champion.unfinished import intended_version
from pipeline_components.contracts.base import canonical_json
from pipeline_components.contracts.errors import IntegrityError, Unavailable
from pipeline_components.register import door
from pipeline_components.registry.sqlite import SqliteRegistry
from pipeline_components.store import result_key
from pipeline_components.version.dossier import find_dossier
from pipeline_components.version.signing import verified
from tests.unit.register.small_run import SPEC, small_run


def cut_off(context, monkeypatch, request) -> None:
    """Dead between the intent and the version."""

    def die(*_: object, **__: object) -> None:
        raise Unavailable("REGISTRY", "mlflow", "must answer")

    with monkeypatch.context() as patch:
        patch.setattr(SqliteRegistry, "ensure_version", die)
        with pytest.raises(Unavailable):
            door.run(request, context)
    assert context.ledger.unfinished_registrations("fares") == [request.run_key]


def test_it_is_finished_as_the_rerun_would(context, monkeypatch):
    request = small_run(context)
    cut_off(context, monkeypatch, request)
    done = reconcile("fares", context)
    assert [report.code for report in done.reports] == ["RECONCILE-UNPROMOTED"]
    record = verified(context.ledger.version(request.run_key), "fares", context)
    assert record.dossier == find_dossier(request.run_key, context.store)[0]
    assert record.champion.features == ("miles", "riders")
    before = record.model_copy()
    assert door.run(request, context).champion == 1
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
    door.run(request, context)
    _, dossier = find_dossier(request.run_key, context.store)
    planted = dossier.model_copy(update={"request": change(request, context.store)})
    kept = context.store.put("dossier.json", canonical_json(planted))
    (context.store.root / result_key("dossier", request.run_key)).unlink()
    context.store.create(result_key("dossier", request.run_key), canonical_json(kept))
    with pytest.raises(IntegrityError, match="not of what was judged"):
        intended_version("fares", request.run_key, context.ledger, context.store)


def test_what_the_ledger_does_not_know_is_not_made(context):
    with pytest.raises(IntegrityError, match="no verdict about it"):
        intended_version("fares", "0" * 64, context.ledger, context.store)
