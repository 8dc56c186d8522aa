"""Code that ends the process in the middle of a step is an error, and never a run that is done."""

from __future__ import annotations

import os

import pytest

from everfit.contracts.errors import UserError
from everfit.contracts.messages.steps import Order
from everfit.engine.execute import perform
from everfit.steps.plan.step import Plan
from tests.unit.plan.month_files import World


def leave(code: object) -> None:
    raise SystemExit(code)


@pytest.mark.parametrize("way", ["SystemExit", "os._exit"])
@pytest.mark.parametrize("code", [0, 3])
def test_an_exit_inside_a_step_is_a_mistake_to_correct(context, monkeypatch, way, code):
    world = World(context)

    def run(*asked):
        leave(code) if way == "SystemExit" else os._exit(code)

    monkeypatch.setattr(Plan, "run", run)
    with pytest.raises(UserError, match=rf"STEP-EXIT trips plan: .*\(exit code {code}\)") as caught:
        perform(Order(component="plan", pipeline=world.spec), context)
    assert caught.value.exit_code == 2


def test_a_forked_child_of_a_step_still_ends_by_itself(context, monkeypatch):
    world, before, ended = World(context), os._exit, []

    def fork(*asked):
        child = os.fork()
        if not child:
            os._exit(7)
        ended.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        raise UserError("X", "y", "z")

    monkeypatch.setattr(Plan, "run", fork)
    with pytest.raises(UserError, match=r"^X"):
        perform(Order(component="plan", pipeline=world.spec), context)
    assert ended == [7]
    assert os._exit is before
