"""A real champion: what its dossier names is there, and an emptied MLflow is filled again."""

from __future__ import annotations

import logging

import pytest

from everfit.champion.version.signing import verified
from everfit.cli import main
from everfit.contracts.messages.dossier import Dossier
from everfit.contracts.messages.planning import PlanResult
from everfit.contracts.messages.requests import (
    EvaluateResult,
    GateResult,
    PrepareResult,
    ValidateResult,
)
from everfit.contracts.messages.training import TrainResult
from everfit.engine.fingerprints import code_digest
from everfit.storage.mlflow import champion_alias
from everfit.storage.store import digest_file
from tests.world import World

KINDS = {
    "plan": PlanResult,
    "validate": ValidateResult,
    "prepare": PrepareResult,
    "train": TrainResult,
    "evaluate": EvaluateResult,
    "gate": GateResult,
}


@pytest.fixture(autouse=True)
def quiet_again():
    yield
    logging.getLogger("everfit").setLevel(logging.NOTSET)


def test_a_real_champion_has_a_dossier_and_comes_back(context, monkeypatch, capsys) -> None:
    world = World(context)
    world.months(3)
    outcomes = world.run()
    registered = world.result(outcomes, "register")
    assert registered.champion == 1

    (record,) = context.ledger.versions("quick")
    verified(record, "quick", context)
    dossier = Dossier.model_validate_json(context.store.get(record.dossier))
    named = {
        component: [kind.model_validate_json(context.store.get(digest)) for digest in digests]
        for component, kind in KINDS.items()
        for digests in [dossier.upstream[component]]
    }
    assert set(dossier.upstream) == set(KINDS)
    assert named["prepare"] == [dossier.request.prepared]
    assert named["evaluate"] == [dossier.request.evaluated]
    assert named["train"] == [dossier.request.evaluated.candidate]
    assert named["gate"] == [dossier.request.decision]
    assert named["validate"][0].run_key == record.run_key == dossier.request.run_key
    by_step = {outcome.component: outcome.result for outcome in outcomes}
    assert all(dossier.upstream[name] == (by_step[name],) for name in KINDS)
    assert dossier.request.code == code_digest("run") == named["plan"][0].code

    home = context.settings.home
    (model,) = home.glob("mlartifacts/*/*/artifacts/model/model.skops")
    before = digest_file(model)
    for path in home.glob("mlflow.db*"):
        path.unlink()
    model.unlink()
    monkeypatch.setenv("EVERFIT_ROOT", str(context.settings.root))
    assert main(["reconcile", "quick"]) == 2
    assert "everfit reconcile quick --rebuild" in capsys.readouterr().err
    assert main(["reconcile", "quick", "--rebuild", "--dry-run"]) == 2
    told = capsys.readouterr().out
    assert "to repair: v1 of run" in told and "@champion was missing: it names v1 again" in told
    assert champion_alias(context.settings, "quick") is None
    assert main(["reconcile", "quick", "--rebuild"]) == 0
    assert "repaired: v1 of run" in capsys.readouterr().out
    assert champion_alias(context.settings, "quick") == 1
    assert digest_file(model) == before
    assert main(["reconcile", "quick"]) == 0
    again = world.result(world.run(force=True), "register")
    assert again == registered.model_copy(update={"changed": False})
