"""The rule from interval to answer, and from checks to verdict."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_components.contracts.verdicts import Check
from pipeline_components.gate.check_gain import judge
from pipeline_components.gate.decide import MUST_PASS, because, decide
from pipeline_components.gate.registry import CODES, QUESTIONS

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
    assert judge(low, high, margin, "superior_by") == answer


@pytest.mark.parametrize(("low", "high", "margin", "answer"), NOT_WORSE)
def test_not_worse_than(low, high, margin, answer):
    assert judge(low, high, margin, "not_worse_than") == answer


finite = st.floats(-1e6, 1e6)
intentions = st.sampled_from(["superior_by", "not_worse_than"])
RANK = {"missed": 0, "undecided": 1, "met": 2}


@given(finite, finite, st.floats(0, 1e6), st.floats(0, 1e6), intentions)
def test_a_greater_gain_never_gives_a_worse_answer(a, b, margin, more, intention):
    low, high = sorted((a, b))
    before = judge(low, high, margin, intention)
    assert RANK[judge(low + more, high + more, margin, intention)] >= RANK[before]


@given(finite, finite, st.floats(0, 1e6), st.floats(0, 1e6), intentions)
def test_a_greater_margin_is_harder_to_be_superior_by_and_easier_to_stay_within(
    a, b, margin, more, intention
):
    low, high = sorted((a, b))
    before = RANK[judge(low, high, margin, intention)]
    after = RANK[judge(low, high, margin + more, intention)]
    assert after <= before if intention == "superior_by" else after >= before


@given(st.floats(), st.floats(), st.floats(0, 1e6), intentions)
def test_no_strange_bound_is_ever_met(low, high, margin, intention):
    if judge(low, high, margin, intention) == "met":
        assert low <= high
        assert low >= (margin if intention == "superior_by" else -margin)


states = st.sampled_from(["passed", "failed", "not_applicable", "not_assessed"])
forces = st.sampled_from([None, "hold", "reject"])


def checks_of(state_of) -> list[Check]:
    return [
        Check(
            code=question.code, title=question.title, severity=question.severity,
            state=state, message=f"{question.code} is {state}.", forces=forced,
        )
        for question, (state, forced) in zip(QUESTIONS, state_of, strict=True)
    ]  # fmt: skip


@given(st.lists(st.tuples(states, forces), min_size=len(QUESTIONS), max_size=len(QUESTIONS)))
def test_no_promotion_past_an_error_check_that_did_not_pass(state_of):
    checks = checks_of(state_of)
    fine = all(
        c.state == "passed" or (c.state == "not_applicable" and c.code not in MUST_PASS)
        for c in checks
        if c.severity == "error"
    )
    assert (decide(checks) == "promote") == fine
    assert because(decide(checks), checks).endswith(".")


@pytest.mark.parametrize("lost", [q.code for q in QUESTIONS if q.severity == "error"])
def test_no_promotion_where_a_question_was_not_answered(lost):
    checks = checks_of([("passed", None)] * len(QUESTIONS))
    assert decide(checks) == "promote"
    rest = [check for check in checks if check.code != lost]
    assert decide(rest) == "hold"
    assert lost in because("hold", rest)


def test_no_checks_is_no_promotion():
    assert decide([]) == "hold"


def test_one_failed_check_that_forces_reject_outweighs_those_that_hold():
    state_of = [("passed", None)] * len(QUESTIONS)
    state_of[CODES.index("ROWS-ENOUGH")] = ("failed", "hold")
    assert decide(checks_of(state_of)) == "hold"
    state_of[CODES.index("SERVABLE")] = ("failed", "reject")
    assert decide(checks_of(state_of)) == "reject"
    assert because("reject", checks_of(state_of)) == "SERVABLE is failed."


def test_a_failed_warning_does_not_stand_in_the_way():
    state_of = [("passed", None)] * len(QUESTIONS)
    state_of[CODES.index("POWER")] = ("failed", None)
    assert decide(checks_of(state_of)) == "promote"
