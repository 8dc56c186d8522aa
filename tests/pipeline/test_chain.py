"""The whole chain in one process, with planted truth."""

from __future__ import annotations

import json

import pytest

from everfit.contracts.base import canonical_json
from everfit.contracts.errors import NothingToDo
from everfit.contracts.settings import Settings
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.engine.context import open_context
from everfit.engine.pipeline import run_pipeline
from everfit.storage.mlflow import champion_alias
from everfit.storage.store import blob_key
from tests.world import World


def verdict(world, outcomes) -> str:
    return world.result(outcomes, "gate").verdict


def names(spans) -> list[str]:
    return [span.name.removesuffix(".csv") for span in spans]


def test_a_first_model_beats_the_dummy_and_becomes_champion(world) -> None:
    world.months(3)
    outcomes = world.run()
    assert verdict(world, outcomes) == "promote"
    registered = world.result(outcomes, "register")
    assert (registered.version, registered.champion) == (1, 1)
    assert champion_alias(world.context.settings, "quick") == 1
    (entry,) = world.context.ledger.history("quick")
    assert (entry.sequence, entry.version, entry.kind) == (1, 1, "promote")


def test_nothing_changed_is_said_and_nothing_is_done(world) -> None:
    world.months(3)
    first = world.run()
    with pytest.raises(NothingToDo, match="nothing changed"):
        world.run()
    forced = world.run(force=True)
    assert [o.result for o in forced[1:]] == [o.result for o in first[1:]]
    assert all(o.cached for o in forced if o.component not in ("plan", "extract", "register"))
    assert len(world.context.ledger.versions("quick")) == 1
    decisions = [e.decision for e in world.context.ledger.evaluations("quick")]
    assert decisions == ["train", "skip", "train"]


@pytest.mark.thorough
def test_a_spec_trains_the_same_model_here_and_where_it_was_sent_as_json(world, tmp_path) -> None:
    world.months(3)
    world.spec["train"]["families"] = [
        {"name": "gradient_boosting", "search": {"min_samples_leaf": [20, 5], "max_iter": [9, 5]}}
    ]
    world.spec["train"]["trials"] = 3
    here = world.result(world.run(), "evaluate").candidate
    sent = PipelineSpec.model_validate_json(canonical_json(world.load()))
    data = str(world.context.settings.data)
    elsewhere = {"EVERFIT_ROOT": str(tmp_path / "elsewhere"), "EVERFIT_DATA": data}
    with open_context(Settings.from_environment(elsewhere)) as context:
        there = World(context).result(run_pipeline(sent, context), "evaluate").candidate
    assert (there.model, there.params) == (here.model, here.params)


@pytest.mark.thorough
def test_a_file_that_is_touched_but_equal_is_the_same_span(world) -> None:
    world.months(3)
    first = world.run()
    newest = max(world.trips.iterdir())
    newest.write_bytes(newest.read_bytes())
    again = world.run()
    by_name = {o.component: o for o in again}
    assert all(by_name[c].cached for c in ("prepare", "train", "evaluate", "gate"))
    assert [o.result for o in again[2:]] == [o.result for o in first[2:]]
    assert len(world.context.ledger.versions("quick")) == 1


@pytest.mark.thorough
def test_each_new_month_is_judged_by_models_that_never_saw_it(world) -> None:
    world.months(3)
    first = world.result(world.run(), "validate")
    assert (names(first.window), names(first.holdout)) == (["2018-01", "2018-02"], ["2018-03"])
    world.months(4)
    outcomes = world.run()
    second = world.result(outcomes, "validate")
    assert names(second.window) == ["2018-01", "2018-02", "2018-03"]
    assert names(second.holdout) == ["2018-04"]
    assert second.run_key != first.run_key
    assert world.result(outcomes, "evaluate").baseline == "champion v1"


def test_a_worse_candidate_is_rejected_and_a_better_one_promoted(world) -> None:
    world.months(3, rows=1500)
    good = json.loads(json.dumps(world.spec))
    assert verdict(world, world.run()) == "promote"

    world.months(4, rows=1500)
    world.spec["features"]["drop"] += ["trip_distance", "rate_code_id"]
    world.spec["features"]["derive"] = {}
    assert verdict(world, world.run()) == "reject"
    assert champion_alias(world.context.settings, "quick") == 1

    world.months(5, rows=1500)
    world.spec = good
    world.spec["train"]["families"] = ["gradient_boosting"]
    world.spec["features"]["derive"]["busy"] = "where(hour(pickup_datetime) < 7, 0, 1)"
    outcomes = world.run()
    assert world.result(outcomes, "evaluate").baseline == "champion v1"
    assert verdict(world, outcomes) == "promote"
    assert champion_alias(world.context.settings, "quick") == 2
    assert [entry.version for entry in world.context.ledger.history("quick")] == [1, 2]


@pytest.mark.thorough
def test_an_equal_candidate_is_not_promoted(world) -> None:
    world.months(3, rows=1500)
    world.run()
    world.spec["train"]["seed"] = 1
    world.months(4, rows=1500)
    assert verdict(world, world.run()) in ("hold", "reject")
    assert champion_alias(world.context.settings, "quick") == 1


@pytest.mark.thorough
def test_evaluations_on_one_month_spend_its_budget_and_then_hold_until_new_rows_come(world) -> None:
    world.months(3)
    outcomes = []
    for seed in range(5):
        world.spec["train"]["seed"] = seed
        outcomes = world.run()
    ledger = world.context.ledger
    evaluations = ledger.holdout_evaluations("quick", "fare_amount")
    month = 0.05 * 31 / 365.25  # March
    shares = [one.alpha / month for one in evaluations]
    assert shares == pytest.approx([1 / 2, 1 / 4, 1 / 8, 1 / 16, 0])
    told = outcomes[0].summary.detectable
    assert "so the run will end in hold: about 32 new labelled rows" in told  # 500 / 16 = 31.25
    decided = world.result(outcomes, "gate")
    assert decided.verdict == "hold"
    assert decided.because.startswith("The evaluation budget is exhausted: this span was evaluated")
    world.run(force=True)
    # the same run is evaluated only once
    assert ledger.holdout_evaluations("quick", "fare_amount") == evaluations

    world.months(4)
    outcomes = world.run()
    assert "detect a gain of" in outcomes[0].summary.detectable
    states = {check.code: check.state for check in world.result(outcomes, "gate").checks}
    assert states["BUDGET"] == "passed"
    assert ledger.holdout_evaluations("quick", "fare_amount")[-1].alpha > month / 2


def test_a_month_in_cents_is_quarantined_and_training_goes_on(world) -> None:
    world.months(5)
    bad = world.trips / "2018-03.csv"
    header, *rows = bad.read_text().splitlines()
    column = header.split(",").index("fare_amount")
    cells = [row.split(",") for row in rows]
    for row in cells:
        row[column] = str(float(row[column]) * 1000)
    bad.write_text("\n".join([header, *map(",".join, cells)]) + "\n")
    outcomes = world.run()
    found = world.result(outcomes, "validate")
    assert names(found.quarantined) == ["2018-03"]
    assert names(found.window) == ["2018-02", "2018-04"]
    assert any(a.severity == "error" and a.column == "fare_amount" for a in found.anomalies)
    page = world.context.store.get(found.report.digest).decode()
    assert "2018-03" in page
    assert "fare_amount" in page
    with pytest.raises(NothingToDo, match="nothing changed"):
        world.run()


@pytest.mark.thorough
def test_a_truncated_file_is_refused_and_the_others_go_on(world) -> None:
    world.months(4)
    broken = world.trips / "2018-02.csv"
    broken.write_text(broken.read_text()[:-40])
    found = world.result(world.run(), "validate")
    assert names(found.window) == ["2018-01", "2018-03"]
    with pytest.raises(NothingToDo, match="nothing changed"):
        world.run()


@pytest.mark.thorough
def test_a_copied_file_is_left_out_and_is_no_reason_to_train_again(world) -> None:
    world.months(3)
    (world.trips / "2018-04.csv").write_bytes((world.trips / "2018-03.csv").read_bytes())
    found = world.result(world.run(), "validate")
    assert names(found.window) + names(found.holdout) == ["2018-01", "2018-02", "2018-03"]
    with pytest.raises(NothingToDo, match="nothing changed"):
        world.run()


def test_too_few_months_is_a_reason_not_an_error(world) -> None:
    world.months(1)
    with pytest.raises(NothingToDo):
        world.run()
    (evaluation,) = world.context.ledger.evaluations("quick")
    assert evaluation.decision == "skip"


@pytest.mark.thorough
def test_an_altered_model_is_never_loaded(world) -> None:
    world.months(3)
    model = world.result(world.run(), "evaluate").candidate.model
    path = world.context.store.root / blob_key(model.digest)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    world.months(4)
    decided = world.result(world.run(), "gate")
    assert decided.verdict != "promote"
    assert "STORE-ALTERED" in decided.because


def test_a_run_that_was_cut_off_is_taken_up_where_it_stopped(world) -> None:
    from everfit.engine import pipeline as chain
    from everfit.engine.execute import perform

    class Cut(Exception):
        pass

    def cut_at_gate(order, context):
        if order.component == "gate":
            raise Cut
        return perform(order, context)

    world.months(3)
    whole = pytest.MonkeyPatch()
    whole.setattr(chain, "perform", cut_at_gate)
    with pytest.raises(Cut):
        world.run()
    whole.undo()
    outcomes = world.run()
    assert {o.component: o.cached for o in outcomes}["train"]
    assert verdict(world, outcomes) == "promote"
    assert len(world.context.ledger.versions("quick")) == 1
