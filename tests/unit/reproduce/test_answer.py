"""The answer follows from the steps alone, and nothing that was not compared counts as equal."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everfit.operations.reproduce.answer import Apart, RebuildStep, Rebuilt, StepName, answered

ONE, OTHER = "a" * 64, "b" * 64
NAMES = get_args(StepName)


def rebuilt(*states: str, found: str | None = ONE, apart: Apart | None = None) -> Rebuilt:
    steps = tuple(
        RebuildStep(name=name, state=state, told=f"{name} told")
        for name, state in zip(NAMES, states, strict=False)
    )
    return Rebuilt(
        run_key="c" * 64,
        steps=steps,
        recorded=ONE,
        found=found,
        apart=apart,
        threads=1,
        seconds=0.1,
    )


def test_the_same_digest_is_bit_identical():
    found = answered("fare", 3, "here", rebuilt("same", "same", "same", "same", "same"))
    assert found.answer == "bit-identical"
    assert ONE[:12] in found.because


def test_near_predictions_are_numerically_equal_and_say_within_what():
    apart = Apart(rows=1234, of="holdout", absolute=3e-12, relative=4e-13)
    found = answered("fare", 3, "here", rebuilt(*["same"] * 4, "equal", found=OTHER, apart=apart))
    assert found.answer == "numerically equal"
    assert found.because == (
        "within 3.00e−12 (4.00e−13 of the largest prediction) over 1,234 rows of the holdout; "
        "the model's bytes differ"
    )


@pytest.mark.parametrize("place", range(5))
def test_the_first_step_that_differs_is_named(place):
    states = ["same"] * place + ["differs"] * (5 - place)
    found = answered("fare", 3, "here", rebuilt(*states, found=OTHER))
    assert found.answer == "diverged"
    assert (
        found.because == f"the first step that differs is the {NAMES[place]}: {NAMES[place]} told"
    )


def test_another_model_that_was_not_compared_has_diverged():
    for found in (OTHER, None):
        answer = answered("fare", 3, "here", rebuilt(*["same"] * 5, found=found))
        assert answer.answer == "diverged"


@given(
    st.lists(st.sampled_from(["same", "equal", "differs"]), max_size=5),
    st.sampled_from([ONE, OTHER, None]),
    st.none() | st.just(Apart(rows=1, of="sample", absolute=0.0, relative=0.0)),
)
def test_bit_identical_is_only_ever_the_recorded_digest(states, found, apart):
    one = rebuilt(*states, found=found, apart=apart)
    answer = answered("fare", 3, "here", one).answer
    assert (answer == "bit-identical") == (found == ONE and "differs" not in states)
    assert (answer == "diverged") or "differs" not in states
