"""Gaps between groups against their limits."""

from __future__ import annotations

import pytest

from everfit.contracts.messages.evidence import FairnessGap, GroupScore
from everfit.contracts.messages.verdicts import Estimate
from everfit.contracts.spec.gate import FairnessSpec
from tests.unit.gate.asking import ask, but

ITEM = FairnessSpec(by="company", metric="selection_rate", max_gap=0.1)
GROUPS = (
    GroupScore(group="red", rows=300, counted=300, value=0.4),
    GroupScore(group="blue", rows=200, counted=200, value=0.25),
    GroupScore(group="green", rows=150, counted=150, value=0.3),
    GroupScore(group="tiny", rows=3, counted=3, value=None),
)


def gap(low=0.05, value=0.15, **changes):
    found = FairnessGap(
        by="company",
        metric="selection_rate",
        groups=GROUPS,
        gap=Estimate(value=value, low=low, high=0.3, rows=650, method="x"),
    )
    return found.model_copy(update=changes)


def asked(world, *gaps, items=(ITEM,)):
    return ask(but(world.request(), {"fairness": items}, fairness=gaps), "FAIRNESS")


def test_a_gap_names_the_groups_it_lies_between(world):
    (found,) = asked(world, gap())
    assert (found.state, found.severity, found.forces) == ("failed", "error", "hold")
    assert found.title == "Fairness: selection rate by company"
    assert found.message == (
        "Selection rate is 0.400 for red and 0.250 for blue, a gap of 0.150 (0.0500 to 0.300) "
        "among 3 groups; at most 0.1 is required. Too small to compare: tiny."
    )
    assert found.flip == "A gap of selection rate by company of at most 0.1 instead of 0.150"


def test_a_gap_that_is_surely_too_wide_is_rejected(world):
    assert asked(world, gap(low=0.11))[0].forces == "reject"


def test_a_gap_within_the_limit_passes(world):
    (found,) = asked(world, gap(), items=(ITEM.model_copy(update={"max_gap": 0.15}),))
    assert (found.state, found.forces, found.flip) == ("passed", None, None)


def test_no_declared_groups_are_not_applicable(world):
    assert [check.state for check in asked(world, items=())] == ["not_applicable"]


@pytest.mark.parametrize(
    "gaps",
    [
        (),
        (gap(by="other"),),
        (gap(metric="accuracy"),),
        (gap(gap=None, why="no group has"),),
        (gap(low=float("nan")),),
        (gap(groups=()),),
        (gap(value=0.01, low=0.0),),
    ],
)
def test_what_could_not_be_compared_blocks(world, gaps):
    (found,) = asked(world, *gaps)
    assert (found.state, found.severity, found.forces) == ("not_assessed", "error", "hold")


def test_each_item_is_a_check(world):
    items = (ITEM, ITEM.model_copy(update={"by": "zone"}))
    found = asked(world, gap(low=0.2), items=items)
    assert [(check.state, check.forces) for check in found] == [
        ("failed", "reject"),
        ("not_assessed", "hold"),
    ]
