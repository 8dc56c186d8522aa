"""Evidence is spent by the verdict it led to: read from the ledger, for the present champion."""

from __future__ import annotations

import pytest

from everfit.contracts.spec.pipeline import PipelineSpec
from tests.unit.plan.month_files import World


@pytest.fixture
def world(context):
    made = World(context, window={"spans": 2}, triggers={"any": [{"decay": {"for": "1 of 1"}}]})
    made.arrive(1, 2, 3, 4)
    made.know(1, 2, 3, 4)
    made.champion = made.ran((1, 2), (3,), verdict="promote", version=1, promoted=1)
    made.measured(made.champion, 4, worse=0.2, low=0.15)
    return made


def decay(plan):
    return next(one for one in plan.conditions if one.kind == "decay")


def test_a_verdict_spends_what_it_was_reached_on(world):
    assert world.plan("asset").decision == "train"
    world.ran((2, 3), (4,), verdict="hold")
    held = world.plan("asset")
    assert not decay(held).fired
    assert "a verdict answered 1 of them" in decay(held).because
    world.arrive(5)
    world.know(5)
    world.measured(world.champion, 5, worse=0.2, low=0.15)
    assert world.plan("asset").decision == "train"  # a new span is on, and one was waited for


def test_a_verdict_on_older_spans_spends_what_was_known_when_it_began(context):
    window = {"spans": 2, "skip_recent": 1}
    world = World(context, window=window, triggers={"any": [{"decay": {"for": "1 of 1"}}]})
    world.arrive(1, 2, 3, 4, 5)
    world.know(1, 2, 3, 4, 5)
    champion = world.ran((1, 2), (3,), verdict="promote", version=1, promoted=1)
    world.measured(champion, 4, 5, worse=0.2, low=0.15)
    assert decay(world.plan("asset")).fired
    world.ran((2, 3), (4,), verdict="reject")  # the fifth was skipped as too recent
    assert not decay(world.plan("asset")).fired


def test_the_verdict_of_another_spec_spends_nothing(world):
    world.ran((2, 3), (4,), verdict="hold")
    values = world.spec.model_dump(mode="json")
    values["train"]["seed"] = 5
    world.spec = PipelineSpec.model_validate(values)
    assert decay(world.plan("asset")).fired


def test_a_run_without_a_verdict_spends_nothing(world):
    world.ran((2, 3), (4,))
    assert decay(world.plan("asset")).fired
