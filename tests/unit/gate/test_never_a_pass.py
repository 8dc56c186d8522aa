"""Whatever checks answer or do, only sound passes make a promotion."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everfit.contracts.base import canonical_json
from everfit.contracts.errors import UserError
from everfit.contracts.messages.verdicts import Check
from everfit.steps.gate.check import GateCheck, run_checks
from everfit.steps.gate.decide import because, decide
from everfit.steps.gate.evidence.evidence import Evidence, Missing
from everfit.steps.gate.finding import Finding, NotAssessed
from everfit.steps.gate.own_checks import _validated
from tests.unit.gate.asking import MUST_PASS

NOTHING = Missing("not read")
EVIDENCE = Evidence(
    request=None,
    losses=NOTHING,
    holdout_rows=NOTHING,
    train_rows=NOTHING,
    champion_rows=None,
    predictions=NOTHING,
    served=NOTHING,
)

states = st.sampled_from(["passed", "failed", "not_applicable", "not_assessed"])
severities = st.sampled_from([None, "error", "warning", "info"])
findings = st.builds(
    Finding,
    state=states,
    message=st.just("So it is."),
    forces=st.sampled_from(["hold", "reject"]),
    severity=severities,
)
crashes = st.sampled_from(
    [
        NotAssessed("no"),
        ValueError("no"),
        KeyError(),
        ZeroDivisionError(),
        MemoryError(),
        RecursionError(),
        UserError("X", "y", "z"),
        StopIteration(),
        AssertionError(),
    ]
)
answers = st.one_of(findings, st.lists(findings, max_size=3), crashes)


def gate_check(code, answer, needs):
    def ask(evidence):
        if isinstance(answer, Exception):
            raise answer
        return answer

    return GateCheck(code, code, "error", 1, ask, needs)


@st.composite
def registries(draw):
    codes = [*MUST_PASS, "A", "B", "OWN:c"]
    order = draw(st.permutations(codes))
    asked = []
    for place, code in enumerate(order):
        needs = draw(st.lists(st.sampled_from(codes[:4]), max_size=1))
        earlier = tuple(code for code in needs if code in order[:place])
        asked.append((gate_check(code, answer := draw(answers), earlier), answer))
    return asked


@settings(max_examples=200, deadline=None)
@given(registries())
def test_a_promotion_needs_every_answer_and_each_of_them_sound(caplog_off, registry):
    asked = [question for question, _ in registry]
    checks = run_checks(asked, EVIDENCE)
    verdict = decide(checks, asked)
    fine = True
    for one, answer in registry:
        given_ = [answer] if isinstance(answer, Finding) else answer
        if isinstance(answer, Exception) or not given_:
            fine = False
            continue
        for finding in given_:
            vetoes = finding.severity in (None, "error")
            if one.code in MUST_PASS:
                fine &= finding.state == "passed"
            elif vetoes:
                fine &= finding.state in ("passed", "not_applicable")
    assert verdict == "promote" or not _all_passed(checks)
    if verdict == "promote":
        assert fine
    assert because(verdict, checks, asked).endswith(".")
    assert {check.code for check in checks} == {question.code for question in asked}


def _all_passed(checks) -> bool:
    return all(check.state == "passed" for check in checks)


@settings(max_examples=100, deadline=None)
@given(registries(), st.data())
def test_one_answer_lost_is_never_a_promotion(caplog_off, registry, data):
    asked = [question for question, _ in registry]
    fine = [
        Check(code=q.code, title=q.title, severity="error", state="passed", message="Yes.")
        for q in asked
    ]
    assert decide(fine, asked) == "promote"
    lost = data.draw(st.integers(0, len(fine) - 1))
    assert decide([*fine[:lost], *fine[lost + 1 :]], asked) == "hold"


@pytest.fixture(scope="module")
def caplog_off():
    """Crashes are logged with their traceback: hundreds of them say nothing here."""
    import logging

    logging.getLogger("everfit.steps.gate.check").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("everfit.steps.gate.check").setLevel(logging.NOTSET)


things = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.binary(max_size=3),
    st.text(st.characters(), max_size=8),
    st.just("\ud800"),
    st.just({"x": 10**5000}),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.floats()),
    st.just(object()),
    st.just(Finding),
)


@settings(max_examples=200, deadline=None)
@given(things, things, things, things, things, things, things)
def test_a_finding_of_the_user_s_is_taken_only_if_a_record_can_hold_it(
    state, message, forces, flip, title, values, severity
):
    raw = Finding(state, message, forces, flip, title, values, severity)
    try:
        sound = _validated("my.check", raw)
    except NotAssessed:
        return
    check = Check(
        code="OWN:check",
        title=sound.title or "x",
        severity=sound.severity or "error",
        state=sound.state,
        message=sound.message,
        flip=sound.flip,
        values=sound.values,
    )
    assert Check.model_validate_json(canonical_json(check)) == check


words = st.text("abc_9", min_size=1, max_size=4)


@settings(max_examples=200, deadline=None)
@given(findings, st.dictionaries(words, st.integers(-9, 9) | words | st.floats(-1, 1) | st.none()))
def test_a_sound_finding_stays_what_it_is(finding, values):
    raw = Finding(
        finding.state, finding.message, finding.forces, None, None, values, finding.severity
    )
    assert _validated("my.check", raw) == raw


def test_a_number_that_no_record_can_hold_is_no_value():
    with pytest.raises(NotAssessed, match="finite numbers by name"):
        _validated("my.check", Finding("passed", "Yes.", values={"x": 10**5000}))
