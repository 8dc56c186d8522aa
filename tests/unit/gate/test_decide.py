"""The rule from interval to answer, and from checks to verdict."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everfit.contracts.messages.verdicts import Check
from everfit.contracts.spec.margins import RequiredGain
from everfit.steps.gate.decide import because, decide
from everfit.steps.gate.find_checks import built_in_checks
from tests.unit.gate.asking import MUST_PASS

SUPERIOR = [
    # low, high, margin, answer
    (0.2, 0.4, 0.1, "met"),
    (0.1, 0.4, 0.1, "met"),
    (0.05, 0.4, 0.1, "undecided"),
    (-0.1, 0.1, 0.1, "undecided"),
    (0.01, 0.09, 0.1, "missed"),
    (-0.4, -0.2, 0.1, "missed"),
    (0.1, 0.2, 0.0, "met"),
    (0.0, 0.2, 0.0, "undecided"),
    (0.0, 0.0, 0.0, "missed"),
    (-0.1, 0.0, 0.0, "missed"),
]
NOT_WORSE = [
    (-0.05, 0.1, 0.1, "met"),
    (-0.1, 0.1, 0.1, "met"),
    (-0.2, 0.1, 0.1, "undecided"),
    (-0.3, -0.1, 0.1, "undecided"),
    (-0.3, -0.15, 0.1, "missed"),
    (0.0, 0.0, 0.0, "met"),
    (-0.2, -0.1, 0.0, "missed"),
]


@pytest.mark.parametrize(("low", "high", "margin", "answer"), SUPERIOR)
def test_superior_by(low, high, margin, answer):
    assert RequiredGain("superior_by", margin).outcome(low, high) == answer


@pytest.mark.parametrize(("low", "high", "margin", "answer"), NOT_WORSE)
def test_not_worse_than(low, high, margin, answer):
    assert RequiredGain("not_worse_than", margin).outcome(low, high) == answer


finite = st.floats(-1e6, 1e6)
intentions = st.sampled_from(["superior_by", "not_worse_than"])
CODES = [one.code for one in built_in_checks()]
COUNT = len(CODES)
RANK = {"missed": 0, "undecided": 1, "met": 2}


@given(finite, finite, st.floats(0, 1e6), st.floats(0, 1e6), intentions)
def test_a_greater_gain_never_gives_a_worse_answer(a, b, margin, more, intention):
    low, high = sorted((a, b))
    before = RequiredGain(intention, margin).outcome(low, high)
    assert RANK[RequiredGain(intention, margin).outcome(low + more, high + more)] >= RANK[before]


@given(finite, finite, st.floats(0, 1e6), st.floats(0, 1e6), intentions)
def test_a_greater_margin_is_harder_to_be_superior_by_and_easier_to_stay_within(
    a, b, margin, more, intention
):
    low, high = sorted((a, b))
    before = RANK[RequiredGain(intention, margin).outcome(low, high)]
    after = RANK[RequiredGain(intention, margin + more).outcome(low, high)]
    assert after <= before if intention == "superior_by" else after >= before


@given(st.floats(), st.floats(), st.floats(0, 1e6), intentions)
def test_no_strange_bound_is_ever_met(low, high, margin, intention):
    if RequiredGain(intention, margin).outcome(low, high) == "met":
        assert low <= high
        assert low >= (margin if intention == "superior_by" else -margin)


states = st.sampled_from(["passed", "failed", "not_applicable", "not_assessed"])
forces = st.sampled_from([None, "hold", "reject"])


def checks_of(state_of) -> list[Check]:
    return [
        Check(
            code=gate_check.code,
            title=gate_check.title,
            severity=gate_check.severity,
            state=state,
            message=f"{gate_check.code} is {state}.",
            forces=forced,
        )
        for gate_check, (state, forced) in zip(built_in_checks(), state_of, strict=True)
    ]


@given(st.lists(st.tuples(states, forces), min_size=COUNT, max_size=COUNT))
def test_no_promotion_past_an_error_check_that_did_not_pass(state_of):
    checks = checks_of(state_of)
    fine = all(
        c.state == "passed" or (c.state == "not_applicable" and c.code not in MUST_PASS)
        for c in checks
        if c.severity == "error"
    )
    assert (decide(checks) == "promote") == fine
    assert because(decide(checks), checks).endswith(".")


@pytest.mark.parametrize("lost", [q.code for q in built_in_checks() if q.severity == "error"])
def test_no_promotion_where_a_check_gave_no_answer(lost):
    checks = checks_of([("passed", None)] * COUNT)
    assert decide(checks) == "promote"
    rest = [check for check in checks if check.code != lost]
    assert decide(rest) == "hold"
    assert lost in because("hold", rest)


def test_no_checks_is_no_promotion():
    assert decide([]) == "hold"


def test_one_failed_check_that_forces_reject_outweighs_those_that_hold():
    state_of = [("passed", None)] * COUNT
    state_of[CODES.index("ROWS-ENOUGH")] = ("failed", "hold")
    assert decide(checks_of(state_of)) == "hold"
    state_of[CODES.index("SERVABLE")] = ("failed", "reject")
    assert decide(checks_of(state_of)) == "reject"
    assert because("reject", checks_of(state_of)) == "SERVABLE is failed."


def test_a_failed_warning_does_not_stand_in_the_way():
    state_of = [("passed", None)] * COUNT
    state_of[CODES.index("POWER")] = ("failed", None)
    assert decide(checks_of(state_of)) == "promote"
