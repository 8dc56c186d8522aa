"""``everfit monitor``: what a person sees of one look."""

from __future__ import annotations

import json

import pytest

from everfit.cli.main import main


@pytest.fixture
def everfit(world, monkeypatch, capsys):
    monkeypatch.setenv("EVERFIT_ROOT", str(world.context.settings.root))

    def run(*arguments):
        code = main(["monitor", "quick", *arguments])
        return code, capsys.readouterr().out

    world.load()
    return run


def test_before_there_is_anything_it_says_what_is_missing(world, everfit) -> None:
    world.trips.mkdir()
    code, shown = everfit()
    assert code == 0
    assert shown.startswith("No new span to compare the champion on. WATCH-NOTHING quick: ")
    world.months(3)
    code, shown = everfit()
    assert code == 0
    assert shown.startswith(
        "No new span to compare the champion on. MONITOR-NOTHING quick: there is no champion yet."
    )


def test_new_months_are_shown_with_drift_decay_and_page_and_then_no_more(world, everfit) -> None:
    world.months(3)
    world.run()
    world.months(5)
    code, shown = everfit()
    lines = shown.splitlines()
    assert code == 0
    assert lines[0] == "Champion v1 on 2 new spans"
    assert lines[1] == "2018-04.csv  measured, 500 rows"
    assert lines[2].startswith("  drift           none of ")
    assert lines[3].startswith("  decay           MAE 0.")
    (page,) = [line.split()[-1] for line in lines if line.startswith("  monitor report")]
    with open(page) as file:  # noqa: PTH123
        assert "2018-05.csv" in file.read()
    code, shown = everfit()
    lines = shown.splitlines()
    assert code == 0
    assert lines[0] == (
        "No new span to compare the champion on. WATCH-NOTHING quick: champion v1 was "
        "evaluated on all 2 spans newer than itself."
    )
    assert lines[1].startswith("2018-04.csv  v1  measured  none of ")


@pytest.mark.thorough
def test_json_is_for_programs(world, everfit) -> None:
    world.months(3)
    world.run()
    code, shown = everfit("--json")
    assert (code, json.loads(shown)) == (0, None)
    world.months(4)
    code, shown = everfit("--json")
    assert [e["span"]["name"] for e in json.loads(shown)["evaluations"]] == ["2018-04.csv"]
