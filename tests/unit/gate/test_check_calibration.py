"""The calibration error against its limit."""

from __future__ import annotations

import pytest

from everfit.contracts.messages.evidence import Calibration
from everfit.contracts.messages.verdicts import Estimate
from tests.unit.gate.asking import ask, but


def error(value, low, high=0.5):
    return Calibration(
        candidate=Estimate(value=value, low=low, high=high, rows=400, method="x"),
        baseline=Estimate(value=0.09, low=0.0, high=0.2, rows=400, method="x"),
        bins=(),
        by_chance=0.012,
    )


def asked(world, found, limit=0.05, task="binary"):
    request = but(world.request(), {"calibration": limit}, calibration=found)
    (check,) = ask(request.model_copy(update={"task": task}), "CALIBRATION")
    return check


@pytest.mark.parametrize(
    ("value", "low", "state", "forces"),
    [
        (0.05, 0.02, "passed", None),
        (0.06, 0.05, "failed", "hold"),
        (0.06, 0.051, "failed", "reject"),
    ],
)
def test_the_error_itself_decides_and_its_interval_says_how_surely(
    world, value, low, state, forces
):
    found = asked(world, error(value, low))
    assert (found.state, found.severity, found.forces) == (state, "error", forces)
    assert (found.flip is None) == (state == "passed")


def test_the_sentence(world):
    assert asked(world, error(0.06, 0.02, 0.08)).message == (
        "The expected calibration error on 400 rows is 0.0600 (0.0200 to 0.0800; baseline "
        "0.0900; perfectly calibrated probabilities would show about 0.0120); at most 0.05 is "
        "required."
    )


def test_without_a_limit_the_figure_is_told(world):
    found = asked(world, error(0.3, 0.2), limit=None)
    assert (found.state, found.severity, found.forces) == ("not_applicable", "info", None)
    assert "0.300" in found.message
    assert asked(world, None, limit=None).state == "not_applicable"


def test_a_regression_has_no_probabilities(world):
    assert asked(world, None, limit=None, task="regression").state == "not_applicable"


@pytest.mark.parametrize("lost", [None, error(float("nan"), 0.0), error(0.01, 0.0, float("inf"))])
def test_no_figure_blocks_where_there_is_a_limit(world, lost):
    found = asked(world, lost)
    assert (found.state, found.forces) == ("not_assessed", "hold")
