"""A training keeps the user who started it, a decision the login of who decided."""

from __future__ import annotations

import os
import pwd

import pytest

from everfit.api import pipeline as named
from everfit.champion.overrule import on_behalf, this_person
from everfit.cli import main
from everfit.contracts.errors import NothingToDo
from everfit.contracts.settings import Settings
from everfit.engine import pipeline

LOGIN = pwd.getpwuid(os.getuid()).pw_name


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
    named("fares").run()
    assert [one.person for one in asked] == [LOGIN, LOGIN]


def test_the_login_is_not_what_a_variable_says(monkeypatch: pytest.MonkeyPatch):
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "eve")
    assert this_person() == LOGIN


def test_who_decides_is_the_login_and_for_whom_is_in_the_reason(monkeypatch: pytest.MonkeyPatch):
    assert on_behalf("as agreed", None) == on_behalf("as agreed", LOGIN) == "as agreed"
    assert on_behalf("as agreed", " ada\n") == "as agreed (for ada)"
    assert on_behalf("", "ada") == "for ada"
