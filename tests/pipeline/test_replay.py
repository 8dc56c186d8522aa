"""Replays of a planted history: fares rise for good, and policies differ in when they notice."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from everfit.cli import main
from everfit.cli.command import load
from everfit.storage.ledger import open_ledger
from tests.json_shapes import mismatch
from tests.world import World

RISES_IN = 6
"""The month, counted from 0, from which every fare is half as much again."""


@pytest.fixture
def history(context, monkeypatch) -> World:
    """Nine months, the last three with higher fares; the pipeline was never run."""
    world = World(context)
    world.months(9, rows=300)
    for path in sorted(world.trips.glob("*.csv"))[RISES_IN:]:
        head, *rows = path.read_text().splitlines()
        column = head.split(",").index("fare_amount")
        for number, row in enumerate(rows):
            cells = row.split(",")
            cells[column] = f"{1.5 * float(cells[column]):.2f}"
            rows[number] = ",".join(cells)
        path.write_text("\n".join([head, *rows]) + "\n")
    world.spec["window"] = {"spans": 1}
    world.spec["triggers"] = {"any": [{"new_data": {"min_spans": 100}}]}
    world.load()
    settings = context.settings
    for name in ("root", "home", "pipelines", "data"):
        monkeypatch.setenv(f"EVERFIT_{name.upper()}", str(getattr(settings, name)))
    return world


def policy(folder: Path, name: str, **triggers: object) -> str:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({"triggers": triggers}))
    return str(path)


@pytest.mark.thorough
def test_policies_are_told_apart_by_what_they_would_have_done(history, tmp_path, capsys):
    loss = policy(tmp_path, "loss", any=[{"drift": {"on": "loss", "for": "1 of 2"}}])
    eager = policy(tmp_path, "eager", any=[{"new_data": {}}])
    arguments = ["replay", "quick", "--since", "2018-05-01", "--every", "7d", "--json"]
    assert main([*arguments, "--policy", loss, "--policy", eager]) == 0
    document = json.loads(capsys.readouterr().out)
    assert mismatch(document, load("replay").answer()) is None
    told = {one["policy"]: one for one in document}
    assert list(told) == ["as it is", "loss", "eager"]
    assert told["as it is"]["trainings"] == 0
    # July's fares are seen in August, when a fresh model knows June alone and is as wrong. A month
    # later a model of July is better on August: it is trained, and serves from then on.
    months = [(one["at"][:7], one["fired"], one["verdict"]) for one in told["loss"]["history"]]
    assert months[0] == ("2018-09", ["drift"], "promote")
    assert told["loss"]["served"] < told["as it is"]["served"]
    assert told["as it is"]["degraded_days"] == 31 + 30
    assert told["eager"]["triggered_by"] == {"new_data": told["eager"]["trainings"]}
    assert told["eager"]["trainings"] > told["loss"]["trainings"]

    # Nothing of it has happened: no run, no wake and no champion in the real ledger.
    with open_ledger(history.context.settings.ledger) as ledger:
        assert ledger.runs("quick") == ledger.evaluations("quick") == ledger.history("quick") == []

    # A second time every fit is found, and the story is the same.
    assert main([*arguments, "--policy", loss, "--policy", eager]) == 0
    assert {one["policy"]: one for one in json.loads(capsys.readouterr().out)} == told


def test_a_table_for_people_names_every_training(history, tmp_path, capsys):
    loss = policy(tmp_path, "loss", any=[{"drift": {"on": "loss", "for": "1 of 2"}}])
    main(
        ["replay", "quick", "--since", "2018-06", "--every", "30d", "--policy", loss, "--trainings"]
    )
    text = capsys.readouterr().out
    assert re.search(r"^  2018-09-01  promote  champion v2 +drift: ", text, re.MULTILINE), text
    assert re.search(r"^loss +1 \(drift 1\) +1 +0 +0 ", text, re.MULTILINE), text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("owner: me\n", "SPEC loss.yaml a policy says triggers or monitor; this says neither"),
        (
            "triggers: {any: [{drift: {for: 3 of 2}}]}\n",
            "SPEC loss.yaml:1: triggers.any.0.drift.for",
        ),
    ],
)
def test_a_wrong_policy_is_told_in_one_line(history, tmp_path, capsys, text, line):
    path = tmp_path / "loss.yaml"
    path.write_text(text)
    assert main(["replay", "quick", "--policy", str(path)]) == 2
    assert capsys.readouterr().err.startswith(line)


def test_a_start_after_the_end_is_told(history, capsys):
    assert main(["replay", "quick", "--since", "2031"]) == 2
    assert "TIME --since: a time is written 2018-01" in capsys.readouterr().err
    assert main(["replay", "quick", "--since", "2031-01"]) == 2
    assert "REPLAY-TIME --since: a replay begins before" in capsys.readouterr().err
