"""A training keeps the user who started it."""

from __future__ import annotations

import getpass

import pytest

from everfit.champion.overrule import this_person
from everfit.cli import main
from everfit.contracts.errors import NothingToDo
from everfit.contracts.settings import Settings
from everfit.engine import pipeline


def test_a_run_of_the_command_line_names_the_user(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    (settings.pipelines / "fares.yaml").write_text(
        "task: regression\ntarget: fare\nsource: {uri: '{data}/*.csv'}\n"
        "gate: {metric: mae, superior_by: 1%, baseline: median}\n"
    )
    monkeypatch.setenv("EVERFIT_ROOT", str(settings.root))
    asked = []

    def run(spec, context, trigger, *more, **named):
        asked.append(trigger)
        raise NothingToDo("PLAN-SKIP", "fares", "the source is empty")

    monkeypatch.setattr(pipeline, "run_pipeline", run)
    assert main(["run", "fares"]) in (0, 3)
    assert [one.person for one in asked] == [getpass.getuser()] == [this_person()]
