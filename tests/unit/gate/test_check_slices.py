"""Slices: which are surely worse together, which were not looked at, and what that blocks."""

from __future__ import annotations

import pytest

from everfit.contracts.messages.evidence import SliceScore, SliceSearch
from everfit.contracts.messages.verdicts import Estimate
from everfit.steps.gate.decide import obstructing
from everfit.steps.gate.find_checks import built_in_checks
from tests.unit.gate.asking import ask, but

SEARCH = SliceSearch(fitted=200, tested=200, leaves=8)


def about(value, width=0.1):
    return Estimate(value=value, low=value - width, high=value + width, rows=300, method="x")


def slice_of(name, p_value, gain=-0.5, **changes):
    return SliceScore(
        **{
            "name": name,
            "rows": 300,
            "candidate": about(2.0 - gain),
            "baseline": about(2.0),
            "where": f"{name} > 1",
            "gain": about(gain),
            "allowed": 0.02,
            "p_value": p_value,
            **changes,
        }
    )


def unassessed(name, why="7 rows are too few, 200 are needed"):
    return SliceScore(name=name, rows=7, candidate=None, baseline=None, why=why)


def asked(world, *slices, search=SEARCH, find=True):
    return ask(but(world.request(), {"find_slices": find}, slices=slices, search=search), "SLICE")


def test_a_slice_that_is_surely_worse_is_a_veto(world):
    bad, search = asked(world, slice_of("night", 0.001))
    assert (bad.state, bad.severity, bad.forces) == ("failed", "error", "reject")
    assert bad.title == "Slice: night"
    assert bad.message == (
        "MAE on 300 rows is 2.50 against 2.00: significantly worse by more than the allowed 0.02 "
        "(gain −0.500, −0.600 to −0.400; p-value 0.001)."
    )
    assert (
        bad.flip == "On the rows where night > 1, a gain in MAE of at least −0.02 instead of −0.500"
    )
    assert search.state == "passed"
    assert obstructing([bad, search]) == [bad]


def test_one_that_may_be_chance_passes(world):
    found = asked(world, slice_of("night", 0.06))[0]
    assert (found.state, found.forces, found.flip) == ("passed", None, None)
    assert "not significantly worse" in found.message


def test_declared_and_found_share_one_error_rate(world):
    # by hand: 0.02, 0.03, 0.04 times 3, 2, 1, never falling: 0.06 each; 0.01 would be 0.03
    three = [slice_of("a", 0.02), slice_of("b", 0.04)]
    three.append(slice_of("found 1", 0.03, kind="found"))
    found = asked(world, *three, search=SEARCH.model_copy(update={"worse": 1}))
    assert [check.state for check in found] == ["passed"] * 4
    assert [check.values["p_adjusted"] for check in found[:3]] == pytest.approx([0.06] * 3)
    assert "corrected for 3 slices" in found[0].message
    assert found[2].title == "Slice found: found 1 > 1"
    three[0] = slice_of("a", 0.01)
    found = asked(world, *three, search=SEARCH.model_copy(update={"worse": 1}))
    assert [check.state for check in found] == ["failed", "passed", "passed", "passed"]


def test_a_small_slice_is_a_warning_and_counts_for_nothing(world):
    small, other, _ = asked(world, unassessed("rare"), slice_of("night", 0.04))
    assert (small.state, small.severity, small.forces) == ("not_assessed", "warning", None)
    assert small.message == "7 rows are too few, 200 are needed."
    assert other.state == "failed"  # of one slice, not of two
    assert obstructing([small]) == []


@pytest.mark.parametrize(
    "strange",
    [
        slice_of("a", 1.5),
        slice_of("a", float("nan")),
        slice_of("a", 0.5, gain=float("nan")),
        slice_of("a", 0.5, candidate=None),
        slice_of("a", 0.5, gain=-0.1, allowed=None),
        slice_of("a", 0.5, allowed=-1.0),
        slice_of("a", 0.5, allowed=float("inf")),
        unassessed("a", why=""),
    ],
)
def test_evidence_that_is_none_blocks(world, strange):
    found = asked(world, slice_of("fine", 0.9), strange)
    assert [(c.state, c.severity, c.forces) for c in found] == [("not_assessed", "error", "hold")]


def test_no_slices_and_no_search_is_not_applicable(world):
    (found,) = asked(world, search=None, find=False)
    assert found.state == "not_applicable"


def test_a_search_that_was_not_made_blocks_but_too_few_rows_do_not(world):
    (lost,) = asked(world, search=None)
    assert (lost.state, lost.forces) == ("not_assessed", "hold")
    (few,) = asked(world, search=SliceSearch(why="400 holdout rows are too few"))
    assert (few.state, few.severity, few.forces) == ("not_assessed", "warning", None)
    assert few.message == "400 holdout rows are too few."


def test_found_slices_that_went_missing_block(world):
    found = asked(world, search=SEARCH.model_copy(update={"worse": 2}))[-1]
    assert (found.state, found.forces) == ("not_assessed", "hold")


def test_a_crash_blocks(world):
    broken = but(world.request(), slices=(object(),), search=SEARCH)
    (found,) = ask(broken, "SLICE")
    assert (found.state, found.severity, found.forces) == ("not_assessed", "error", "hold")


def test_slices_rest_on_rows_that_neither_model_has_seen():
    (one,) = [one for one in built_in_checks() if one.code == "SLICE"]
    assert {"ROWS-SAME", "LINEAGE-SPANS", "LINEAGE-ROWS"} <= set(one.needs)
