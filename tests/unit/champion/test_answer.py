"""What a person is asked about a version that waits, and what an answer does; once."""

from __future__ import annotations

import pytest

from everfit.champion import answer as module
from everfit.champion.answer import answer
from everfit.champion.approvals import told, waiting
from everfit.champion.overrule import overrule
from everfit.champion.question import question
from everfit.contracts.base import canonical_json
from everfit.contracts.errors import IntegrityError, NothingToDo, UserError
from everfit.steps.register.step import Register
from everfit.storage.mlflow import champion_alias, open_registry
from everfit.storage.mlflow.sqlite_versions import delete_version
from everfit.storage.store import blob_key
from tests.unit.register.small_run import SPEC, small_run

ASKS = SPEC.model_copy(update={"gate": SPEC.gate.model_copy(update={"approval": "required"})})


def asking(context, name: str, champion=None):
    """A run whose version waits for a person."""
    request = small_run(context, name, champion=champion).model_copy(update={"spec": ASKS})
    context.store.put("gate.json", canonical_json(request.decision))
    assert Register().run(request, context).awaits == "approval"
    return request


@pytest.fixture
def first(context):
    """v1 waits; nothing serves."""
    asking(context, "first")
    return context


@pytest.fixture
def second(context):
    """v1 serves, v2 and v3 wait, both judged against it."""
    Register().run(small_run(context, "first"), context)
    champion = context.ledger.versions("fares")[0].champion.model_copy(update={"sequence": 1})
    asking(context, "second", champion)
    asking(context, "third", champion)
    return context


def journal(context):
    return [(e.sequence, e.version, e.kind) for e in context.ledger.history("fares")]


def test_approved_it_is_promoted_with_who_and_why(first) -> None:
    assert (journal(first), champion_alias(first.settings, "fares")) == ([], None)
    done = answer("approve", ASKS, 1, " as \n agreed ", "ada", first)
    assert (done.champion, done.before, done.changed) == (1, None, True)
    assert journal(first) == [(1, 1, "promote")]
    assert champion_alias(first.settings, "fares") == 1
    reason = first.ledger.champion("fares").reason
    assert reason == "the candidate is better by 2.5 Approved by ada: as agreed"
    again = answer("approve", ASKS, 1, "once more", "bob", first)
    assert (again.changed, again.approval.person) == (False, "ada")
    assert journal(first) == [(1, 1, "promote")]


def test_refused_it_stays_a_challenger_and_the_reason_is_kept(second) -> None:
    done = answer("refuse", ASKS, 2, "wait for the quarter", "ada", second)
    assert (done.champion, done.entry, done.changed) == (1, None, True)
    assert journal(second) == [(1, 1, "promote")]
    assert champion_alias(second.settings, "fares") == 1
    assert told(done.approval).startswith("refused by ada, 20")
    assert told(done.approval).endswith(" UTC: wait for the quarter")
    assert [record.version for record in waiting(second.ledger, "fares")] == [3]


@pytest.mark.parametrize(("one", "other"), [("approve", "refuse"), ("refuse", "approve")])
def test_the_first_answer_counts(second, one, other) -> None:
    answer(one, ASKS, 2, "mine", "ada", second)
    before = journal(second)
    with pytest.raises(UserError, match=rf"CHAMPION-ANSWERED fares v2: .* {one}d? ?.*by ada"):
        answer(other, ASKS, 2, "theirs", "bob", second)
    assert journal(second) == before


def test_a_refusal_needs_a_reason_and_an_approval_none(second) -> None:
    with pytest.raises(UserError, match="CHAMPION-REASON"):
        answer("refuse", ASKS, 2, " ", "ada", second)
    assert second.ledger.approval(second.ledger.versions("fares")[1].run_key) is None
    assert answer("approve", ASKS, 2, "", "ada", second).champion == 2
    assert second.ledger.champion("fares").reason.endswith("Approved by ada.")


def test_of_two_that_wait_only_one_is_promoted(second) -> None:
    assert answer("approve", ASKS, 2, "yes", "ada", second).champion == 2
    late = answer("approve", ASKS, 3, "yes too", "bob", second)
    assert (late.champion, late.entry) == (2, None)
    assert journal(second) == [(1, 1, "promote"), (2, 2, "promote")]
    with open_registry(second.settings, "fares") as registry:
        assert registry.alias("fares") == 2


@pytest.mark.parametrize("mode", ["none", "observe"])
def test_what_does_not_wait_is_not_answered(context, mode) -> None:
    request = small_run(context, "first")
    gate = SPEC.gate.model_copy(update={"mode": "observe"} if mode == "observe" else {})
    spec = SPEC.model_copy(update={"gate": gate})
    Register().run(request.model_copy(update={"spec": spec}), context)
    for what in ("approve", "refuse"):
        with pytest.raises(UserError, match=r"CHAMPION-WAITS fares v1: .* everfit promote"):
            answer(what, SPEC, 1, "why", "ada", context)
    with pytest.raises(NothingToDo, match="is not waiting"):
        question("fares", 1, context)


def test_killed_between_the_answer_and_the_promotion_the_same_answer_finishes(
    first, monkeypatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(module, "promote_waiting", die)
        answer("approve", ASKS, 1, "yes", "ada", first)
    assert journal(first) == []
    done = answer("approve", ASKS, 1, "yes", "ada", first)
    assert (done.champion, done.changed) == (1, True)


def test_a_version_that_could_not_serve_is_not_approved(first) -> None:
    model = first.ledger.versions("fares")[0].champion.model
    (first.store.root / blob_key(model.digest)).unlink()
    with pytest.raises(IntegrityError, match="STORE-MISSING"):
        answer("approve", ASKS, 1, "yes", "ada", first)
    assert first.ledger.approval(first.ledger.versions("fares")[0].run_key) is None
    assert answer("refuse", ASKS, 1, "its model is lost", "ada", first).changed


def test_a_version_deleted_in_mlflow_is_not_approved(first) -> None:
    with open_registry(first.settings, "fares") as registry, registry._transaction() as sql:
        delete_version(sql, "fares", 1, 0)
    with pytest.raises(IntegrityError, match="CHAMPION-GONE"):
        answer("approve", ASKS, 1, "yes", "ada", first)
    assert first.ledger.approval(first.ledger.versions("fares")[0].run_key) is None
    assert journal(first) == []


def test_what_is_asked_is_the_decision_and_only_while_it_is_open(second) -> None:
    asked = question("fares", 2, second)
    assert (asked.version, asked.champion, asked.verdict) == (2, 1, "promote")
    assert asked.because == "the candidate is better by 2.5"
    assert second.store.get(asked.report.digest) == b"<h1>promote</h1>"
    answer("refuse", ASKS, 2, "no", "ada", second)
    with pytest.raises(NothingToDo, match="refused by ada"):
        question("fares", 2, second)
    overrule("override", ASKS, 2, "after all", "bob", second)
    with pytest.raises(NothingToDo, match="not judged against v2"):
        question("fares", 3, second)
    assert waiting(second.ledger, "fares") == []
