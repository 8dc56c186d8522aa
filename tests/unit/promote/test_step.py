"""The component beside the chain: the same as the commands, as an order and an outcome."""

from __future__ import annotations

import pytest

from everfit.champion import overrule as overrule_module
from everfit.contracts.base import canonical_json
from everfit.contracts.errors import NothingToDo, RequestError, Superseded, UserError
from everfit.contracts.messages.people import PersonRequest
from everfit.contracts.messages.steps import Order
from everfit.contracts.messages.summaries import PromoteSummary
from everfit.engine.execute import perform
from everfit.steps.register.step import Register
from everfit.storage.mlflow import champion_alias
from tests.unit.register.small_run import SPEC, small_run

ASKS = SPEC.model_copy(update={"gate": SPEC.gate.model_copy(update={"approval": "required"})})


def order(what: str, **asked: object) -> Order:
    return Order(
        component="promote",
        pipeline=ASKS,
        requested=PersonRequest.model_validate({"what": what, **asked}),
    )


@pytest.fixture
def two(context):
    """v1 was champion, v2 is, v3 waits for a person."""
    Register().run(small_run(context, "first"), context)
    first = context.ledger.versions("fares")[0].champion.model_copy(update={"sequence": 1})
    Register().run(small_run(context, "second", champion=first), context)
    second = context.ledger.versions("fares")[1].champion.model_copy(update={"sequence": 2})
    third = small_run(context, "third", champion=second).model_copy(update={"spec": ASKS})
    context.store.put("gate.json", canonical_json(third.decision))
    Register().run(third, context)
    return context


def test_a_rollback_tells_who_serves_and_is_news_once(two) -> None:
    asked = order("rollback", version=1, reason="errors at night", person="ada")
    done = perform(asked, two)
    assert done.summary == PromoteSummary(
        version=1, champion=1, state="champion", because="errors at night (ada)"
    )
    (news,) = done.news
    assert (news.kind, news.what) == ("promoted", "version 1 is the champion again")
    assert champion_alias(two.settings, "fares") == 1
    again = perform(asked, two)
    assert (again.news, again.summary.champion) == ((), 1)
    assert len(two.ledger.history("fares")) == 3


def test_without_a_person_it_was_somebody_and_not_the_worker(two) -> None:
    done = perform(order("promote", version=3, reason="now"), two)
    assert done.summary.because == "now (somebody)"
    assert two.ledger.champion("fares").kind == "override"


def test_a_version_that_waits_is_asked_about_approved_and_then_not_asked_again(two) -> None:
    question = perform(order("ask", version=3), two).summary.question
    assert (question.version, question.champion) == (3, 2)
    done = perform(order("approve", version=3, reason="agreed", person="ada"), two)
    assert (done.summary.state, done.news[0].kind) == ("champion", "promoted")
    assert "decision_report" in done.reports
    assert perform(order("approve", version=3, person="ada"), two).news == ()
    with pytest.raises(NothingToDo, match="PROMOTE-NOTHING fares v3: it was approved by ada"):
        perform(order("ask", version=3), two)


def test_a_refusal_is_news_that_it_stays_a_challenger(two) -> None:
    done = perform(order("refuse", version=3, reason="no", person="ada"), two)
    assert (done.summary.state, done.summary.champion) == ("refused", 2)
    (news,) = done.news
    assert (news.kind, news.what) == ("held", "version 3 was refused, and stays a challenger")


def test_approved_too_late_is_said_and_is_no_error(two) -> None:
    perform(order("rollback", version=1, reason="errors", person="ada"), two)
    done = perform(order("approve", version=3, reason="yes", person="bob"), two)
    assert (done.summary.state, done.summary.champion) == ("superseded", 1)
    assert done.news[0].kind == "held"


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ({"what": "rollback", "reason": "x"}, "CHAMPION-WHICH"),
        ({"what": "promote", "version": 1, "run": "abcd", "reason": "x"}, "both were given"),
        ({"what": "promote", "version": 1}, "CHAMPION-REASON"),
        ({"what": "promote", "version": 9, "reason": "x"}, "CHAMPION-UNKNOWN"),
        ({"what": "refuse", "version": 3}, "CHAMPION-REASON"),
        ({"what": "approve", "version": 1}, "CHAMPION-WAITS"),
        ({"what": "promote", "run": "ffff", "reason": "x"}, "CHAMPION-RUN"),
    ],
)
def test_what_cannot_be_asked_is_one_line_and_is_not_tried_again(two, asked, part) -> None:
    before = two.ledger.history("fares")
    with pytest.raises(UserError, match=part) as refused:
        perform(order(asked.pop("what"), **asked), two)
    assert refused.value.exit_code == 2
    assert two.ledger.history("fares") == before


def test_an_order_that_asks_nothing_is_no_order(two) -> None:
    with pytest.raises(RequestError, match="ORDER-REQUEST"):
        perform(Order(component="promote", pipeline=ASKS), two)


def test_what_another_overtook_is_not_decided_again_by_a_retry(two, monkeypatch) -> None:
    def overtaken(*_: object) -> None:
        raise Superseded("CHAMPION-SUPERSEDED", "fares v1", "must", "found", "Look")

    monkeypatch.setattr(overrule_module, "append", overtaken)
    with pytest.raises(UserError, match="CHAMPION-SUPERSEDED") as refused:
        perform(order("rollback", version=1, reason="x"), two)
    assert refused.value.exit_code == 2


def test_reconcile_ends_well_and_says_what_is_left(two) -> None:
    from everfit.storage.mlflow import open_registry
    from everfit.storage.store import blob_key

    with open_registry(two.settings, "fares") as registry:
        registry.set_alias("fares", 1)
    model = two.ledger.versions("fares")[0].champion.model
    (two.store.root / blob_key(model.digest)).unlink()
    done = perform(Order(component="reconcile", pipeline=SPEC), two)
    assert done.summary.repaired == ("@champion named v1: it names v2 again",)
    assert champion_alias(two.settings, "fares") == 2
    assert any(model.digest in line for line in done.summary.for_a_person)
    (news,) = done.news
    assert news.kind == "reconciled"
    left = done.summary.for_a_person_total
    assert news.what.endswith(f"1 repaired, {left} for a person")


def test_a_pipeline_that_never_ran_differs_in_nothing(context) -> None:
    done = perform(Order(component="reconcile", pipeline=SPEC), context)
    assert (done.summary.repaired, done.summary.for_a_person, done.news) == ((), (), ())
