"""A score too good to be true is told, with the columns that carry it; the known is no news."""

from __future__ import annotations

import math

import pytest

from everfit.contracts.messages.evidence import Explained, Explanation
from everfit.steps.gate.decide import obstructing
from tests.unit.gate.asking import ask, but

DISTANCE = Explained(columns=("distance",), share=0.55)
HINT = Explained(columns=("hint",), share=0.93)
TWO = Explained(columns=("one", "other"), share=0.97)


def asked(world, champion=True, **changes):
    values = {
        "rows": 200,
        "candidate": 0.7,
        "baseline": 0.68 if champion else None,
        "column": DISTANCE,
        "pair": Explained(columns=("distance", "passengers"), share=0.6),
    }
    world = world if champion else world.but(champion_rows=None)
    request = but(world.request(), {}, explained=Explanation(**{**values, **changes}))
    (check,) = ask(request, "TOO-GOOD")
    return check


@pytest.mark.parametrize("champion", [True, False])
def test_an_ordinary_score_passes(world, champion):
    check = asked(world, champion)
    assert (check.state, check.severity, check.flip) == ("passed", "warning", None)


@pytest.mark.parametrize("champion", [True, False])
def test_one_column_that_tells_the_target_is_told(world, champion):
    check = asked(world, champion, column=HINT, candidate=0.94)
    assert (check.state, check.values["column"]) == ("failed", "hint")
    assert "hint alone 93 %" in check.message
    assert "that hint is known before the target" in check.message
    assert obstructing([check]) == []


@pytest.mark.parametrize("champion", [True, False])
def test_two_columns_that_tell_it_together_are_told(world, champion):
    check = asked(world, champion, pair=TWO, candidate=0.98)
    assert check.state == "failed"
    assert "that one and other are known before the target" in check.message


def test_what_the_champion_knew_is_no_news(world):
    assert asked(world, column=HINT, candidate=0.95, baseline=0.94).state == "passed"


def test_a_leap_beyond_the_champion_is_told_whatever_carries_it(world):
    assert asked(world, candidate=0.95, baseline=0.6).state == "failed"
    assert asked(world, candidate=0.75, baseline=0.6).state == "passed"


def test_a_share_that_is_not_finite_is_not_assessed(world):
    assert asked(world, candidate=math.nan).state == "not_assessed"


def test_where_nothing_can_be_said_it_says_so(world):
    (check,) = ask(but(world.request(), {}, explained=None), "TOO-GOOD")
    assert (check.state, check.severity) == ("not_applicable", "info")


def test_the_sentence(world):
    assert asked(world, column=HINT, candidate=0.94).message == (
        "Perhaps too good to be true. Of the target's variation on 200 holdout rows, the candidate "
        "94 %, the champion 68 %, hint alone 93 % and distance and passengers alone 60 % is "
        "explained. Make sure that hint is known before the target is, and not made from it."
    )
