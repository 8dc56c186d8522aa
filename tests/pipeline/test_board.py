"""The board of a pipeline: what the pages show, made anew from the ledger after each step."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import pytest

from everfit.champion.overrule import this_person
from everfit.contracts.base import canonical_json
from everfit.contracts.board import Board, board_key
from everfit.engine import pipeline as run
from everfit.engine.context import open_context
from everfit.operations.board import make_board, publish_board, read_board
from everfit.operations.status import status
from everfit.storage.store.local import LocalStore
from tests.pipeline.test_monitoring import change, farther, look, without_the_report
from tests.unit.contracts.test_schemas import refused
from tests.world import World, new_checkout, settings_in


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> tuple[Path, list[Board | None]]:
    """A pipeline that was trained, monitored on a drifted month, and trained again in vain."""
    root = tmp_path_factory.mktemp("board")
    boards: list[Board | None] = []
    with open_context(new_checkout(root)) as context, pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "monitoring_tasks", without_the_report)
        world = World(context)
        world.spec["owner"] = "fares team"
        world.spec["monitor"] = {"min_rows": 50}
        world.spec["triggers"] = {
            "any": [{"drift": {"for": "1 of 1"}}],
            "cooldown": "6h",
            "budget": {"trainings": 9, "per": "7d"},
        }
        boards.append(read_board(context.store, "quick"))
        world.months(3, rows=900)
        world.run()
        boards.append(read_board(context.store, "quick"))
        world.months(5, rows=900)
        change(world, "2018-05", farther)
        look(world)
        boards.append(read_board(context.store, "quick"))
        world.spec["gate"] = {**world.spec["gate"], "superior_by": "60%"}
        world.run()
        boards.append(read_board(context.store, "quick"))
    return root, boards


@pytest.fixture
def place(told, tmp_path, monkeypatch):
    """A copy of it, open."""
    root = tmp_path / "checkout"
    shutil.copytree(told[0], root)
    monkeypatch.setenv("EVERFIT_ROOT", str(root))
    for name in ("EVERFIT_HOME", "EVERFIT_DATA", "EVERFIT_MLFLOW", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    with open_context(settings_in(root)) as context:
        yield context


def spec_of(context):
    from everfit.contracts.spec.load import find_spec, load_spec

    return load_spec(find_spec(context.settings.pipelines, "quick"))


def test_before_the_first_step_there_is_no_board(told) -> None:
    assert told[1][0] is None


def test_a_training_leaves_a_board_with_its_champion_and_its_gain(told, place) -> None:
    board = told[1][1]
    (only,) = board.runs
    report = json.loads(
        place.store.get(
            json.loads(place.store.get(place.ledger.verdict(only.run_key).decision))["report_json"][
                "digest"
            ]
        )
    )
    gain = report["comparison"]["gain"]
    assert (only.verdict, only.version, only.span) == ("promote", 1, "2018-03.csv")
    assert only.gain.value == gain["value"]
    assert only.gain.low < gain["value"] < only.gain.high
    assert board.champion.version == 1
    assert board.champion.judged == report["scores"]["candidate"]["mae"]["value"]
    assert (board.owner, board.metric_title, board.greater_is_better) == (
        "fares team",
        "MAE",
        False,
    )
    assert [entry.version for entry in board.journal] == [1]
    assert board.journal[0].span == "2018-03.csv"
    assert board.state == "unmeasured"
    assert board.last_evaluation.done
    assert board.row().next is None
    assert sum(only.work.values()) == pytest.approx(board.cost.cpu_seconds, abs=1e-3)
    assert board.cost.cpu_seconds > 0


def test_monitoring_adds_scores_drift_and_what_the_triggers_found(told) -> None:
    board = told[1][2]
    assert [span.name for span in board.spans] == [f"2018-0{month}.csv" for month in range(1, 6)]
    assert {span.rows for span in board.spans} == {900}
    assert [one.span for one in board.scores] == ["2018-04.csv", "2018-05.csv"]
    quiet, far = board.scores
    assert quiet.drift < board.effect <= far.drift
    assert "trip_distance" in far.drifted
    assert far.score == board.monitoring.score
    assert board.state in ("drifting", "worse")
    assert board.says.startswith("On 2018-05.csv v1 has MAE ")
    evaluation = board.last_evaluation
    assert evaluation.decision == "wait"
    held = [one.evaluated.kind for one in evaluation.conditions if one.holds_back]
    assert "cooldown" in held
    fired = {one.evaluated.kind: one.evaluated.fired for one in evaluation.conditions}
    assert fired["drift"]
    assert fired["cooldown"]
    row = board.row()
    assert (row.next, row.span, row.measured) == ("wait", "2018-05.csv", "2018-05.csv")
    assert [version for _, version in row.points] == [1, 1]
    assert row.drift[0] < 1 <= row.drift[1]


def test_a_candidate_that_is_not_good_enough_is_shown_with_its_gain(told) -> None:
    board = told[1][3]
    first, second = board.runs
    assert (first.verdict, second.verdict) == ("promote", second.verdict)
    assert second.verdict in ("hold", "reject")
    assert second.gain is not None
    assert board.last_verdict.run_key == second.run_key
    assert board.row().verdict == second.verdict
    assert board.trainings.used == 2


def test_a_board_made_from_nothing_is_the_one_that_was_published(told, place) -> None:
    anew = make_board(spec_of(place), place)
    assert anew.model_copy(update={"at": ""}) == told[1][3].model_copy(update={"at": ""})


def test_status_and_board_agree(place) -> None:
    shown, board = status("quick", place), make_board(spec_of(place), place)
    for name in ("champion", "monitoring", "last_verdict", "false_promotions", "trainings", "cost"):
        assert getattr(shown, name) == getattr(board, name)


def test_a_rollback_or_a_promotion_by_a_person_is_on_the_board(place) -> None:
    from everfit.cli import main

    candidate = place.ledger.find_runs("quick")[-1].run_key
    words = ["promote", "quick", "--run", candidate[:12], "--reason", "a trial", "--by", "ada"]
    assert main(words) == 0
    board = read_board(place.store, "quick")
    entry = board.journal[-1]
    assert (entry.kind, entry.person, entry.version) == ("override", this_person(), 2)
    assert main(["rollback", "quick", "--to", "1", "--reason", "slow", "--by", "bob"]) == 0
    board = read_board(place.store, "quick")
    assert [(one.kind, one.person) for one in board.journal[1:]] == [
        ("override", this_person()),
        ("rollback", this_person()),
    ]
    assert board.champion.version == 1


def test_a_board_fits_its_schema_and_its_row_is_small(told) -> None:
    for board in told[1][1:]:
        assert refused("board.json", canonical_json(board)) == []
        assert len(canonical_json(board.row())) < 2_000
        assert len(canonical_json(board)) < 20_000


def test_a_store_that_refuses_the_board_fails_no_step(place, monkeypatch, caplog) -> None:
    monkeypatch.setattr(LocalStore, "replace", lambda *_: 1 / 0)
    with caplog.at_level(logging.WARNING):
        publish_board(spec_of(place), place)
    assert "quick: its board could not be published" in caplog.text


@pytest.mark.parametrize("text", [b"", b"{", b"{}", b'{"format": 2}'])
def test_a_board_that_cannot_be_read_is_made_anew(place, text: bytes) -> None:
    place.store.replace(board_key("quick"), text)
    assert read_board(place.store, "quick") is None
    publish_board(spec_of(place), place)
    assert read_board(place.store, "quick").champion.version == 1


def test_a_board_of_another_name_is_not_believed(told, place) -> None:
    place.store.replace(board_key("other"), canonical_json(told[1][3]))
    assert read_board(place.store, "other") is None
