"""``everfit triggers`` as a person sees it."""

from __future__ import annotations

import json

import pytest

from everfit.cli.main import main
from everfit.contracts.messages.planning import Trigger
from everfit.contracts.messages.trigger_facts import Evaluated
from everfit.storage.ledger import open_ledger
from everfit.storage.ledger.records import EvaluationRecord


@pytest.fixture
def everfit(settings, monkeypatch):
    """Run a command in a private home."""
    monkeypatch.setenv("EVERFIT_ROOT", str(settings.root))
    (settings.pipelines / "trips.yaml").write_text(
        "task: regression\ntarget: fare\nsource: {uri: '{data}/m/*.csv'}\n"
        "gate: {superior_by: 1%, baseline: median}\n"
    )
    settings.home.mkdir(parents=True, exist_ok=True)
    return lambda *arguments: main(["triggers", *arguments])


def record(settings, *records):
    with open_ledger(settings.ledger) as ledger:
        for one in records:
            ledger.record_evaluation("trips", one)


def sweep(fired=False, age="1 day"):
    condition = Evaluated(
        condition="new_data: 1 span",
        kind="new_data",
        looked_at="good spans",
        measured=f"{int(fired)} spans",
        fired=fired,
        because=f"so for {age}",
    )
    return EvaluationRecord(
        trigger=Trigger(run_type="scheduled"),
        decision="train" if fired else "idle",
        because=f"new_data: so for {age}",
        run_key=None,
        stage="sweep",
        conditions=(condition,),
    )


WAKE = EvaluationRecord(
    trigger=Trigger(run_type="manual", reason="a new column", run_id="r"),
    decision="train",
    because="training on 2018-01.csv",
    run_key=None,
)


def test_nothing_yet(everfit, capsys):
    assert everfit("trips") == 0
    assert capsys.readouterr().out == "The triggers of trips have not been evaluated yet.\n"


def test_sweeps_that_repeat_themselves_are_one(everfit, settings, capsys):
    record(settings, *[sweep(age=f"{day} days") for day in range(96)], sweep(True), WAKE)
    everfit("trips")
    title, empty, *lines = capsys.readouterr().out.splitlines()
    assert title == "Trigger evaluations of trips, newest last; times are UTC."
    assert empty == ""
    assert lines[0].endswith("  IDLE  sweep")
    assert lines[1:4] == [
        "  new_data: so for 0 days",
        "  · new_data: 1 span: so for 0 days",
        "      read good spans: 0 spans",
    ]
    assert lines[4].startswith("  … and 95 more until 20")
    assert lines[6].endswith("  TRAIN  sweep")
    assert lines[8] == "  ✓ new_data: 1 span: so for 1 day"
    assert lines[-2].endswith("  TRAIN  triggered by a person: a new column")
    assert lines[-1] == "  training on 2018-01.csv"


def test_all_and_limit(everfit, settings, capsys):
    record(settings, *[sweep() for _ in range(5)], WAKE)
    everfit("trips", "--all", "--limit", "3")
    out = capsys.readouterr().out
    assert (out.count("IDLE"), out.count("TRAIN"), out.count("more until")) == (2, 1, 0)
    everfit("trips", "--limit", "1")
    lines = capsys.readouterr().out.splitlines()
    assert [line[18:23] for line in lines if line.startswith("20")] == ["TRAIN"]


def test_json(everfit, settings, capsys):
    record(settings, sweep(), sweep(), WAKE)
    everfit("trips", "--json")
    first, second = json.loads(capsys.readouterr().out)
    assert (first["repeated"], first["conditions"][0]["fired"]) == (1, False)
    assert second["trigger"]["reason"] == "a new column"


def test_a_pipeline_that_is_none(everfit, capsys):
    assert everfit("trip") == 2
    assert "Did you mean 'trips'?" in capsys.readouterr().err


def test_a_limit_that_is_none(everfit, capsys):
    assert everfit("trips", "--limit", "0") == 2
    assert "USAGE everfit triggers: --limit: a number from 1; found '0'." in capsys.readouterr().err
