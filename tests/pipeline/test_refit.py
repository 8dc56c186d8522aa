"""A promoted run's settings fitted on its holdout too: a version, a champion and a way back."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from everfit.cli import main
from everfit.contracts.errors import NothingToDo
from everfit.contracts.messages.monitoring import MonitorResult
from everfit.contracts.messages.requests import GateResult
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.data.tables.frames import read_table
from everfit.engine.fingerprints import refit_key, spec_digest
from everfit.engine.pipeline import monitor_pipeline
from everfit.storage.mlflow import champion_alias
from tests.world import QUICK, World


@pytest.fixture
def refitting(world: World) -> World:
    world.spec["train"]["refit"] = True
    world.months(3)
    return world


def test_the_refitted_model_serves_and_the_judged_one_is_the_version_before_it(refitting) -> None:
    outcomes = refitting.run()
    registered = refitting.result(outcomes, "register")
    assert (registered.version, registered.refit, registered.champion) == (1, 2, 2)
    assert champion_alias(refitting.context.settings, "quick") == 2
    ledger = refitting.context.ledger
    journal = [(entry.version, entry.kind) for entry in ledger.history("quick")]
    assert journal == [(1, "promote"), (2, "refit")]
    judged, served = (record.champion for record in ledger.versions("quick"))
    assert served.run_key == refit_key(judged.run_key)
    assert served.window == (*judged.window, *judged.holdout)
    assert (served.scores, served.holdout) == (judged.scores, judged.holdout)


def test_its_table_holds_the_rows_of_window_and_holdout(refitting) -> None:
    prepared = refitting.result(refitting.run(), "prepare")
    context = refitting.context
    judged, served = (record.champion for record in context.ledger.versions("quick"))

    def rows(digest: str):
        return read_table(context.store.local(digest, context.scratch))["__row"].to_numpy()

    both = np.concatenate([rows(judged.train.digest), rows(prepared.holdout.digest)])
    assert np.array_equal(rows(served.train.digest), both)
    assert len(both) == prepared.rows_train + prepared.rows_holdout


def test_nothing_new_is_nothing_to_do_and_no_run_is_judged_on_what_the_champion_has_learned(
    refitting,
) -> None:
    refitting.run()
    with pytest.raises(NothingToDo, match="nothing changed"):
        refitting.run()
    with pytest.raises(NothingToDo, match="VALIDATE-SEEN"):
        refitting.run(window=2, force=True)


def test_the_next_candidate_is_compared_with_the_refitted_model(refitting) -> None:
    refitting.run()
    refitting.months(4)
    outcomes = refitting.run()
    assert refitting.result(outcomes, "evaluate").baseline == "champion v2"
    (lineage,) = (
        check
        for check in refitting.result(outcomes, "gate").checks
        if check.code == "LINEAGE-SPANS"
    )
    assert lineage.state == "passed"


def test_a_run_that_is_held_is_not_refitted(refitting) -> None:
    refitting.spec["gate"] = {"metric": "mae", "superior_by": "99%", "baseline": "median"}
    outcomes = refitting.run()
    (refit,) = (one for one in outcomes if one.component == "refit")
    assert refit.summary.family == "" and "verdict" in refit.summary.because
    assert refitting.context.ledger.versions("quick") == []


def test_register_that_died_before_the_refit_is_taken_up_by_the_next_run(
    refitting, monkeypatch
) -> None:
    class Died(Exception):
        pass

    def die(*_: object) -> None:
        raise Died

    with monkeypatch.context() as patch, pytest.raises(Died):
        patch.setattr("everfit.steps.register.step.register_refit", die)
        refitting.run()
    assert [entry.version for entry in refitting.context.ledger.history("quick")] == [1]
    registered = refitting.result(refitting.run(), "register")
    assert (registered.version, registered.refit, registered.champion) == (1, 2, 2)


def test_the_verdict_of_a_refit_names_its_own_model_and_the_judged_ones_report(refitting) -> None:
    judged = refitting.result(refitting.run(), "gate")
    ledger, store = refitting.context.ledger, refitting.context.store
    served = ledger.versions("quick")[1]
    verdict = ledger.verdict(served.run_key)
    decision = GateResult.model_validate_json(store.get(verdict.decision))
    assert decision.model == served.champion.model.digest != judged.model
    assert decision.report_html == judged.report_html
    assert verdict.because.startswith("v1 fitted on its holdout too. ")


def test_a_spec_without_it_is_the_same_as_before_there_was_one() -> None:
    plain = PipelineSpec.model_validate({**QUICK, "name": "quick"})
    off = {**QUICK, "train": {**QUICK["train"], "refit": False}}
    assert spec_digest(PipelineSpec.model_validate({**off, "name": "quick"})) == spec_digest(plain)


def test_both_versions_are_rebuilt_bit_for_bit(refitting, capsys, monkeypatch) -> None:
    refitting.run()
    monkeypatch.setenv("EVERFIT_ROOT", str(refitting.context.settings.root))
    for version, last in (("1", "model"), ("2", "refitted model")):
        assert main(["reproduce", "quick", version, "--json"]) == 0
        answer = json.loads(capsys.readouterr().out)
        assert answer["answer"] == "bit-identical"
        assert answer["rebuilt"]["steps"][-1]["name"] == last


def test_on_its_first_spans_a_refit_is_scored_beside_the_judged_model(refitting) -> None:
    refitting.run()
    refitting.months(4)
    refitting.spec["monitor"] = {"min_rows": 50}
    outcomes = monitor_pipeline(refitting.load(), refitting.context)
    measured = MonitorResult.model_validate_json(
        refitting.context.store.get(
            next(one.result for one in outcomes if one.component == "monitor")
        )
    )
    (rise,) = (one for one in measured.evaluations[0].rises if one.metric == "mae")
    assert rise.judged is not None and rise.judged.low <= rise.judged.worse
    (stays,) = (one for one in outcomes if one.component == "fall_back")
    assert (stays.summary.champion, stays.summary.before) == (2, None)


def test_a_refit_that_is_surely_worse_gives_way_to_the_judged_model(refitting) -> None:
    """A month of other money in the holdout: the gate takes it, and the refit learns it."""
    refitting.spec["gate"] = {"metric": "mae", "not_worse_than": "500%", "baseline": "median"}
    month = refitting.trips / "2018-03.csv"
    frame = pd.read_csv(month)
    frame["fare_amount"] = frame["fare_amount"].sample(frac=1, random_state=1).to_numpy() * 3
    frame.to_csv(month, index=False)
    refitting.spec["validation"] = {"ignore": ["UNIT-CHANGE"]}
    registered = refitting.result(refitting.run(), "register")
    assert registered.champion == registered.refit == 2
    refitting.months(4)
    refitting.spec["monitor"] = {"min_rows": 50}
    outcomes = monitor_pipeline(refitting.load(), refitting.context)
    (fell,) = (one for one in outcomes if one.component == "fall_back")
    assert (fell.summary.champion, fell.summary.before) == (1, 2)
    assert [news.kind for news in fell.news] == ["promoted"]
    assert champion_alias(refitting.context.settings, "quick") == 1
    last = refitting.context.ledger.history("quick")[-1]
    assert (last.kind, last.version) == ("rollback", 1)
    assert "surely worse" in last.reason and last.person == "everfit"
    refitting.months(5)
    again = monitor_pipeline(refitting.load(), refitting.context)
    (stays,) = (one for one in again if one.component == "fall_back")
    assert stays.summary.before is None and stays.news == ()
