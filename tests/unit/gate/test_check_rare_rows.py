"""A gain is held where bad rows of which too few are known could undo it."""

from __future__ import annotations

import pytest
import scipy.stats

from everfit.contracts.messages.verdicts import KnownRows
from everfit.steps.gate.decide import obstructing
from tests.unit.gate.asking import ask, but

KNOWN = KnownRows(rows=4_000, events=900.0, worst=-3.0, row_loss=2.0)


def asked(world, gate=(), metric=None, **known):
    """The check's answer: the world's gain is 0.3, more than 0 is needed."""
    told = KNOWN.model_copy(update=known) if known else world.known
    request = world.but(known=told).request()
    if metric:
        comparison = request.evaluated.comparison.model_copy(update={"metric": metric})
        request = but(request, comparison=comparison).model_copy(update={"metric": metric})
    (check,) = ask(but(request, gate), "RARE-ROWS")
    return check


def test_enough_known_rows_pass_whatever_a_bad_one_costs(world):
    assert asked(world, {"worst_loss": 1e9}).state == "passed"


def test_enough_is_where_one_bad_row_in_500_is_missed_once_in_a_thousand_times(world):
    for rows, state in ((3_453, "not_assessed"), (3_454, "passed")):
        assert asked(world, {"worst_loss": 1e9}, rows=rows).state == state
        missed = scipy.stats.binom.pmf(0, rows, 1 / 500)
        assert missed == pytest.approx(0.001, rel=0.01)


def test_too_few_known_rows_are_a_warning_where_nothing_is_said_of_their_cost(world):
    check = asked(world, rows=1_500)
    assert (check.state, check.severity, check.forces) == ("not_assessed", "warning", None)
    assert obstructing([check]) == []
    assert "Only 1,500 rows" in check.message
    assert "one in 217" in check.message
    assert "gate.worst_loss" in check.message


def test_too_few_known_rows_hold_where_the_spec_says_what_one_may_cost(world):
    """ln 1,000 = 6.91 rows of 1,500 at 50 times a loss of 2 cost 0.46; at 10 times, 0.09."""
    check = asked(world, {"worst_loss": 50}, rows=1_500)
    assert (check.state, check.severity, check.forces) == ("not_assessed", "error", "hold")
    assert check.values["may_take"] == pytest.approx(6.9078 * 50 * 2 / 1_500, rel=1e-4)
    assert "gate.worst_loss" in check.flip
    assert asked(world, {"worst_loss": 10}, rows=1_500).state == "passed"


def test_fewer_than_ten_rows_that_carry_the_losses_hold(world):
    """Were ten seen, 22.7 may be expected; five may not show half of what ten would."""
    check = asked(world, events=5.0, worst=-200.0)
    assert (check.state, check.forces) == ("not_assessed", "hold")
    limit = scipy.stats.gamma.ppf(0.999, 11)
    assert check.values["may_take"] == pytest.approx(limit * 400 / 4_000, rel=1e-6)
    assert "About 5.0 of 4,000 known rows carry" in check.message
    assert asked(world, events=10.0, worst=-200.0).state == "passed"


def test_few_rows_that_cost_too_little_to_undo_the_gain_pass(world):
    assert asked(world, events=2.0, worst=-9.0).state == "passed"
    assert asked(world, events=2.0, worst=-10.0).state == "not_assessed"


def test_a_gain_that_is_not_shown_is_not_asked_about(world):
    assert asked(world.but(gain=0.05), events=2.0, worst=-200.0).state == "not_applicable"


def test_a_first_model_and_a_metric_with_a_limit_are_not_asked_about(world):
    assert asked(world.but(champion_rows=None), events=2.0, worst=-1e9).state == "not_applicable"
    assert asked(world, metric="median_ae", events=2.0, worst=-1e9).state == "not_applicable"


def test_without_a_count_of_known_rows_nothing_is_promoted(world):
    assert asked(world.but(known=None)).forces == "hold"
