"""Versions that wait: to be observed, or for a person's approval."""

from __future__ import annotations

import pytest

from everfit.champion.promotion import promote_waiting
from everfit.champion.repair.reconcile import reconcile
from everfit.contracts.errors import RequestError
from everfit.steps.plan.facts.past_runs import find_run
from everfit.steps.register.step import Register
from everfit.storage.ledger.records import ApprovalRecord, PromotionRecord
from everfit.storage.mlflow import champion_alias, open_registry
from tests.unit.register.small_run import SPEC, small_run
from tests.unit.register.test_register import rows

OBSERVE, APPROVAL = {"mode": "observe"}, {"approval": "required"}


def waiting(context, how, name="first", champion=None, verdict="promote"):
    request = small_run(context, name, champion=champion, verdict=verdict)
    gate = SPEC.gate.model_copy(update=how)
    return request.model_copy(update={"spec": SPEC.model_copy(update={"gate": gate})})


def approve(context, request, answer="approve", reason="as agreed"):
    context.ledger.record_approval(
        "fares",
        ApprovalRecord(run_key=request.run_key, answer=answer, person="ada", reason=reason),
    )


def tags_of(context, version):
    sql = "SELECT key, value FROM model_version_tags WHERE version = ?"
    return dict(rows(context, sql, version))


@pytest.mark.parametrize(
    ("how", "awaits", "kind", "what"),
    [
        (OBSERVE, "observe", "held", "version 1 would be the champion"),
        (APPROVAL, "approval", "waiting", "version 1 waits for approval"),
    ],
)
def test_an_accepted_version_is_registered_and_not_promoted(context, how, awaits, kind, what):
    request = waiting(context, how)
    result = Register().run(request, context)
    assert (result.version, result.champion, result.awaits) == (1, None, awaits)
    assert not result.superseded
    assert context.ledger.version(request.run_key).awaits == awaits
    assert context.ledger.history("fares") == []
    assert champion_alias(context.settings, "fares") is None
    tags = tags_of(context, 1)
    assert tags["everfit.awaits"] == awaits and "everfit.promotion" not in tags
    report = Register().report(result, context)
    assert report.summary.awaits == awaits
    (news,) = report.news
    assert (news.kind, news.what, news.report) == (kind, what, "decision_report")
    again = Register().run(request, context)
    assert again == result.model_copy(update={"changed": False})
    assert Register().report(again, context).news == ()


@pytest.mark.parametrize("how", [OBSERVE, APPROVAL])
@pytest.mark.parametrize("verdict", ["hold", "reject"])
def test_modes_change_nothing_of_what_is_not_accepted(context, how, verdict):
    result = Register().run(waiting(context, how, verdict=verdict), context)
    assert (result.version, result.awaits) == (None, "")


@pytest.mark.parametrize("how", [OBSERVE, APPROVAL])
def test_it_is_neither_unfinished_nor_forgotten(context, how):
    request = waiting(context, how)
    Register().run(request, context)
    past = find_run(context.ledger, "fares", request.run_key)
    assert past.unfinished == ""
    assert past.ending.startswith("ended in promote as version 1, which ")
    assert reconcile("fares", context).reports == ()


def test_an_approved_version_is_promoted_against_what_it_was_judged_by(context):
    request = waiting(context, APPROVAL)
    Register().run(request, context)
    approve(context, request)
    with open_registry(context.settings, "fares") as registry:
        entry = promote_waiting("fares", request.run_key, context, registry)
        assert promote_waiting("fares", request.run_key, context, registry) == entry
    assert (entry.sequence, entry.version, entry.kind) == (1, 1, "promote")
    assert entry.reason == "the candidate is better by 2.5 Approved by ada: as agreed"
    assert champion_alias(context.settings, "fares") == 1
    tags = tags_of(context, 1)
    assert (tags["everfit.awaits"], tags["everfit.promotion"]) == ("nothing", "1")
    again = Register().run(request, context)
    assert (again.champion, again.awaits) == (1, "")
    assert tags_of(context, 1) == tags


def test_what_nobody_approved_is_not_promoted(context):
    request = waiting(context, APPROVAL)
    with open_registry(context.settings, "fares") as registry:
        with pytest.raises(RequestError, match=r"REGISTER-APPROVAL .*no such version"):
            promote_waiting("fares", request.run_key, context, registry)
        Register().run(request, context)
        with pytest.raises(RequestError, match=r"REGISTER-APPROVAL .*nobody has"):
            promote_waiting("fares", request.run_key, context, registry)
        approve(context, request, "refuse")
        with pytest.raises(RequestError, match=r"REGISTER-APPROVAL .*nobody has"):
            promote_waiting("fares", request.run_key, context, registry)
    assert context.ledger.history("fares") == []


def test_an_approval_that_comes_after_another_promotion_is_too_late(context):
    request = waiting(context, APPROVAL)
    Register().run(request, context)
    faster = small_run(context, "faster")
    assert Register().run(faster, context).champion == 2
    approve(context, request)
    with open_registry(context.settings, "fares") as registry:
        assert promote_waiting("fares", request.run_key, context, registry) is None
    assert [entry.version for entry in context.ledger.history("fares")] == [2]
    assert champion_alias(context.settings, "fares") == 2
    tags = tags_of(context, 1)
    assert (tags["everfit.promotion"], tags["everfit.awaits"]) == ("superseded", "nothing")


def test_a_version_that_came_too_late_does_not_ask_anybody(context):
    Register().run(small_run(context, "faster"), context)
    result = Register().run(waiting(context, APPROVAL, "late"), context)
    assert (result.version, result.awaits, result.superseded) == (2, "", True)


def test_an_approval_whose_process_died_is_carried_out_by_the_rerun(context):
    request = waiting(context, APPROVAL)
    Register().run(request, context)
    approve(context, request)  # and dead before the journal
    past = find_run(context.ledger, "fares", request.run_key)
    assert past.unfinished == "is registered as version 1 but not promoted yet"
    assert [r.code for r in reconcile("fares", context).reports] == ["RECONCILE-UNPROMOTED"]
    result = Register().run(request, context)
    assert (result.champion, result.awaits, result.changed) == (1, "", True)
    (news,) = Register().report(result, context).news
    assert (news.kind, news.what) == ("promoted", "version 1 is the champion")


def test_a_refused_version_is_let_be(context):
    request = waiting(context, APPROVAL)
    Register().run(request, context)
    approve(context, request, "refuse")
    past = find_run(context.ledger, "fares", request.run_key)
    assert past.unfinished == ""
    assert past.ending == "ended in promote as version 1, which a person refused"
    result = Register().run(request, context)
    assert (result.champion, result.awaits, result.superseded) == (None, "", False)
    assert Register().report(result, context).news == ()
    assert tags_of(context, 1)["everfit.awaits"] == "nothing"
    assert reconcile("fares", context).reports == ()


def test_what_it_was_registered_as_counts_when_the_mode_changes(context):
    """The mode is in no run key: the same run may be gone through under another."""
    request = waiting(context, OBSERVE)
    Register().run(request, context)
    enforced = request.model_copy(update={"spec": SPEC})
    assert Register().run(enforced, context).awaits == "observe"
    plain = small_run(context, "plain")
    assert Register().run(plain, context).champion == 2
    late = plain.model_copy(update={"spec": request.spec})
    assert Register().run(late, context).awaits == ""
    assert "everfit.awaits" not in tags_of(context, 2)


def test_a_person_may_promote_what_is_observed(context):
    request = waiting(context, OBSERVE)
    Register().run(request, context)
    context.ledger.promote(
        "fares",
        PromotionRecord(
            sequence=1, version=1, run_key=request.run_key, kind="override", reason="by hand"
        ),
    )
    result = Register().run(request, context)
    assert (result.champion, result.awaits) == (1, "")
    assert find_run(context.ledger, "fares", request.run_key).unfinished == ""
