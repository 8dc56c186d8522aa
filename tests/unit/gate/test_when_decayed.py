"""What the gate asks where the champion has surely decayed: by the ledger's record alone."""

from __future__ import annotations

import pytest

from everfit.contracts.messages.evaluations import ChampionDecay
from everfit.contracts.messages.verdicts import Bound
from everfit.contracts.spec.gate import GateSpec
from everfit.steps.gate.evidence.comparison import comparison
from everfit.steps.gate.finding import NotAssessed
from everfit.steps.gate.report.report_document import report_json
from tests.unit.gate.asking import ask

ADAPT = {"superior_by": "1%", "when_decayed": {"not_worse_than": "0%"}, "baseline": "median"}


@pytest.fixture
def judged(world):
    """A gain of 0.01, from -0.005 on as usual, from 0.001 on by what is asked when decayed."""

    def made(decay, gate=ADAPT):
        request = world.but(gate=gate, gain=0.01, width=0.015).request()
        usual = request.evaluated.comparison
        low = Bound(alpha=0.025, low=0.001, high=0.019)
        lenient = usual.model_copy(update={"bounds": (low,), "intention": "not_worse_than"})
        evaluated = request.evaluated.model_copy(update={"when_decayed": lenient})
        evaluation = request.holdout_evaluation.model_copy(update={"decay": decay})
        return request.model_copy(update={"evaluated": evaluated, "holdout_evaluation": evaluation})

    return made


def decay(decayed):
    return ChampionDecay(
        decayed=decayed, before=False, because="champion v3 is surely worse than attainable, on May"
    )


def test_a_candidate_that_is_no_worse_is_enough_beside_a_decayed_champion(judged, monkeypatch):
    monkeypatch.setattr("everfit.steps.gate.checks.gain._agrees_with_losses", lambda *_: None)
    (check,) = ask(judged(decay(True)), "GAIN")
    assert check.state == "passed"
    assert (check.values["intention"], check.values["margin"]) == ("not_worse_than", 0.0)
    assert (check.values["low"], check.values["champion"]) == (0.001, "decayed")
    assert check.message.endswith(
        " This is asked instead of better by at least 1 %, as champion v3 is surely worse than "
        "attainable, on May."
    )
    (power,) = ask(judged(decay(True)), "POWER")
    assert power.values["needed"] == 0.0


@pytest.mark.parametrize("found", [None, decay(False)])
def test_without_sure_decay_it_is_asked_what_is_asked_as_usual(judged, monkeypatch, found):
    monkeypatch.setattr("everfit.steps.gate.checks.gain._agrees_with_losses", lambda *_: None)
    (check,) = ask(judged(found), "GAIN")
    assert (check.state, check.values["intention"]) == ("failed", "superior_by")
    assert "instead" not in check.message and "champion" not in check.values


def test_a_record_of_decay_counts_for_nothing_where_the_gate_does_not_ask(judged):
    plain = {"superior_by": "1%", "baseline": "median"}
    assert comparison(judged(decay(True), gate=plain)).intention == "superior_by"


def test_what_the_store_says_of_decay_counts_for_nothing(judged):
    """The comparison is there in any case; which counts is in the ledger's record."""
    request = judged(decay(False))
    assert request.evaluated.when_decayed is not None
    assert comparison(request).intention == "superior_by"


def test_a_comparison_that_is_missing_is_not_assessed(judged):
    request = judged(decay(True))
    evaluated = request.evaluated.model_copy(update={"when_decayed": None})
    with pytest.raises(NotAssessed):
        comparison(request.model_copy(update={"evaluated": evaluated}))


def test_the_decision_says_what_was_spent_beside_decayed_champions(judged):
    (check,) = ask(judged(decay(True)), "BUDGET")
    assert "1 evaluation of them beside a decayed champion spent 0.025" in check.message
    request = judged(decay(True))
    document = report_json(request, "hold", "so", (check,), comparison(request))
    assert b'"decay":{"because":"champion v3 is surely worse' in document


def test_one_of_the_two_is_declared():
    with pytest.raises(ValueError, match="when_decayed declares either"):
        GateSpec(superior_by="1%", baseline="median", when_decayed={})


def test_a_spec_without_it_is_the_same_as_before_there_was_one():
    assert "when_decayed" not in GateSpec(superior_by="1%", baseline="median").model_dump()
