"""The policy as a function of facts: each condition, each holder, and how they combine."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everfit.contracts.base import digest_of
from everfit.contracts.messages.monitoring import Rise
from everfit.contracts.messages.planning import Trigger
from everfit.contracts.messages.trigger_facts import (
    Facts,
    FinishedRun,
    MeasuredSpan,
    NewSpan,
    SpentEvidence,
)
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.spec.triggers.kinds import KINDS
from everfit.contracts.spec.triggers.newest_spans import states
from everfit.steps.plan.facts.past_evaluations import failed_attempts, handled_until
from everfit.steps.plan.policy import evaluate
from everfit.storage.ledger.records import EvaluationRecord

NOW = datetime(2026, 11, 18, 12, tzinfo=UTC)  # a Wednesday
H, D = timedelta(hours=1), timedelta(days=1)


def spec(triggers, **more):
    return PipelineSpec.model_validate(
        {
            "name": "trips",
            "task": "regression",
            "target": "fare",
            "source": {"uri": "{data}/m/*.csv"},
            "triggers": triggers,
            "gate": {"metric": "mae", "superior_by": "1%", "baseline": "median"},
            **more,
        }
    )


def facts(wakes=(), **more):
    finished, resumes = more.get("finished", ()), more.get("resumes")
    base = Facts(
        now=NOW,
        clock=NOW,
        since=NOW - 100 * D,
        trigger=Trigger(run_type="asset"),
        cooldown_requested=False,
        resumes=None,
        new=(),
        champion=3,
        measured=(),
        handled_until=handled_until(wakes, finished),
        failed_attempts=failed_attempts(wakes, finished, resumes),
        finished=(),
        opened=(),
        spec=digest_of("s"),
        code=digest_of("k"),
        environment=digest_of("e"),
    )
    return replace(base, **more)


def finished(ago, **more):
    at = NOW - ago
    run = FinishedRun(
        run_key=digest_of(str(ago)),
        spec=digest_of("s"),
        code=digest_of("k"),
        environment=digest_of("e"),
        began=at - H,
        verdict_at=at,
    )
    return replace(run, **more)


def wake(ago, decision="train", run_type="asset", **more):
    return EvaluationRecord(
        trigger=Trigger(run_type=run_type),
        decision=decision,
        because="so",
        run_key=None,
        at=(NOW - ago).isoformat(),
        **more,
    )


def measured(*values, worse=None, state="measured"):
    """Records whose inputs score so, or whose loss rose so from 10."""
    found = []
    for place, value in enumerate(values):
        rises = ()
        if worse is not None:
            rises = (
                Rise(
                    metric="mae",
                    reference=10,
                    current=10 + value,
                    worse=value,
                    low=value if worse == "sure" else -1,
                    rows=500,
                    labelled=1,
                    estimated=worse == "estimated",
                    method="m",
                ),
            )
        found.append(
            MeasuredSpan(
                name=f"{place}.csv",
                state=state,
                rises=rises,
                inputs=0 if worse else value,
                columns=0 if worse else value,
                strongest=(),
            )
        )
    return tuple(found)


NEW = (NewSpan("5.csv", 400), NewSpan("6.csv", None))


@pytest.mark.parametrize(
    ("wanted", "new", "fires", "says"),
    [
        ({}, (), False, "finished runs have used every good span"),
        ({}, NEW, True, "2 new spans: 5.csv, 6.csv"),
        ({"min_spans": 3}, NEW, False, "2 new spans, 3 needed"),
        (
            {"min_rows": 500},
            NEW,
            False,
            "400 rows in 5.csv, 6.csv, 500 needed; not read yet, so not counted: 6.csv",
        ),
        ({"min_rows": 400}, NEW[:1], True, "1 new span with 400 rows: 5.csv"),
    ],
)
def test_new_data(wanted, new, fires, says):
    judged = evaluate(spec({"any": [{"new_data": wanted}]}), facts(new=new))
    (one,) = [c for c in judged.conditions if c.kind == "new_data"]
    assert (one.fired, one.because) == (fires, says)
    assert judged.decision == ("go" if fires else "idle")
    assert judged.signals == (("new_data",) if fires else ())


def test_code():
    policy = spec({"any": [{"code": True}]})
    same = evaluate(policy, facts(finished=(finished(D),)))
    assert same.decision == "idle"
    assert "spec, components and environment are unchanged since run" in same.because
    changed = evaluate(policy, facts(finished=(finished(D, code=digest_of("old")),)))
    assert changed.signals == ("code",)
    assert changed.because.endswith("the components")
    assert evaluate(policy, facts()).decision == "go"
    wished = finished(D, spec=digest_of("other window"))
    window = frozenset({wished.run_key})
    assert evaluate(policy, facts(finished=(wished,), only_the_window=window)).decision == "idle"


@pytest.mark.parametrize(
    ("wakes", "verdicts", "fires"),
    [
        ((), (), True),
        ((wake(H, "skip"),), (), True),  # before the tick of 11:30
        ((wake(timedelta(minutes=10), "skip"),), (), False),
        ((wake(timedelta(minutes=10)),), (), True),  # no verdict yet
        ((wake(H),), (finished(timedelta(minutes=10)),), True),  # the tick came during the run
        ((wake(timedelta(minutes=10), "skip", "backfill"),), (), True),
        ((wake(timedelta(minutes=10), "skip", stage="end"), wake(H)), (), True),
        (
            (
                wake(timedelta(minutes=5), "skip", stage="end"),
                wake(timedelta(minutes=10)),
            ),
            (),
            False,
        ),
    ],
)
def test_a_tick_is_due_until_it_is_handled(wakes, verdicts, fires):
    policy = spec({"schedule": "30 11 * * *"})
    judged = evaluate(policy, facts(wakes=wakes, finished=verdicts))
    assert judged.conditions[0].fired is fires


def test_ticks_count_from_the_first_evaluation():
    policy = spec({"schedule": "30 11 * * *", "timezone": "UTC"})
    judged = evaluate(policy, facts(since=NOW - timedelta(minutes=20)))
    assert judged.decision == "idle"
    assert judged.because == (
        "schedule: no tick since the first evaluation at 2026-11-18 11:40 UTC; "
        "the next tick is 2026-11-19 11:30 UTC"
    )


@pytest.mark.parametrize(
    ("scores", "fires"),
    [
        ((), False),
        ((0.2,), False),  # 2 of 3 with one there
        ((0.2, 0.2), True),
        ((0.01, 0.2, 0.07), True),  # 0.07 is between off (0.05) and on (0.1): it keeps
        ((0.2, 0.07, 0.01), False),  # the newest is off
        ((0.07, 0.07, 0.07), False),
        ((0.2, 0.2, 0.01, 0.01), False),
        ((0.2, 0.01, 0.2), True),
    ],
)
def test_drift_of_inputs_switches_with_two_thresholds(scores, fires):
    policy = spec({"any": [{"drift": {"on": "inputs"}}]})
    judged = evaluate(policy, facts(measured=measured(*scores)))
    assert (judged.signals == ("drift",)) is fires
    columns = spec({"any": [{"drift": {"on": "columns"}}]})
    assert (evaluate(columns, facts(measured=measured(*scores))).decision == "go") is fires


def test_broken_and_small_spans_tell_nothing():
    policy = spec({"any": [{"drift": {"for": "1 of 1"}}]})
    for state in ("broken", "too_small"):
        broken = evaluate(policy, facts(measured=measured(9.0, state=state)))
        assert broken.decision == "idle"
        assert "(1 could not be)" in broken.because


@pytest.mark.parametrize(
    ("rises", "kind", "fires"),
    [
        ((0.6, 0.6), "sure", True),  # 5 % of 10 is 0.5
        ((0.6, 0.3), "sure", True),  # half of it is still on
        ((0.6, 0.2, 0.2), "sure", False),
        ((0.6, 0.6), "unsure", False),
        ((0.6, 0.6), "estimated", False),
    ],
)
def test_decay_and_drift_of_the_loss(rises, kind, fires):
    known = facts(measured=measured(*rises, worse=kind))
    for condition in ({"decay": {}}, {"drift": {}}, {"drift": {"on": "loss"}}):
        judged = evaluate(spec({"any": [condition]}), known)
        assert (judged.decision == "go") is fires, condition
        assert judged.signals == ((next(iter(condition)),) if fires else ())


def answered(*counts):
    """Verdicts, each when so many spans were measured."""
    return tuple(
        SpentEvidence(digest_of(f"v{place}"), frozenset(f"{n}.csv" for n in range(upto)))
        for place, upto in enumerate(counts)
    )


ALARMS = ({"decay": {}}, {"drift": {}}, {"drift": {"on": "loss"}})


def fires(condition, known):
    (one,) = [c for c in evaluate(spec({"any": [condition]}), known).conditions if c.kind in KINDS]
    return one.fired, one.because


@pytest.mark.parametrize("condition", ALARMS)
def test_what_a_verdict_has_answered_does_not_fire_again(condition):
    known = facts(measured=measured(0.6, 0.6, worse="sure"))
    assert fires(condition, known)[0]
    fired, because = fires(condition, replace(known, spent=answered(2)))
    assert not fired
    assert "a verdict answered 2 of them" in because
    one_more = facts(measured=measured(0.6, 0.6, 0.6, worse="sure"), spent=answered(2))
    assert not fires(condition, one_more)[0]  # one new span is on, and 2 are needed
    two_more = facts(measured=measured(*[0.6] * 4, worse="sure"), spent=answered(2))
    assert fires(condition, two_more)[0]


@pytest.mark.parametrize("condition", ALARMS)
def test_each_verdict_in_a_row_doubles_the_wait(condition):
    once = {**condition[next(iter(condition))], "for": "1 of 1"}
    condition = {next(iter(condition)): once}
    trained, verdicts = [], ()
    for spans in range(1, 33):
        known = facts(measured=measured(*[0.6] * spans, worse="sure"), spent=verdicts)
        if fires(condition, known)[0]:
            trained.append(spans)
            verdicts = answered(*trained)
    assert trained == [1, 2, 4, 8, 16, 24, 32]
    known = facts(measured=measured(*[0.6] * 6, worse="sure"), spent=answered(1, 2, 4))
    assert (
        "after 3 verdicts in a row that promoted nothing it waits for 4 new spans, 2 measured"
        in (fires(condition, known)[1])
    )


@pytest.mark.parametrize("condition", ALARMS)
def test_evidence_that_has_surely_grown_waits_for_nothing(condition):
    grown = facts(measured=measured(0.6, 0.6, 0.9, worse="sure"), spent=answered(1, 2))
    fired, because = fires(condition, grown)
    assert fired
    assert "2.csv is surely worse than all that a verdict has answered" in because
    rise = replace(
        grown.measured[2], rises=(grown.measured[2].rises[0].model_copy(update={"low": 0.5}),)
    )
    unsure = replace(grown, measured=(*grown.measured[:2], rise))
    assert not fires(condition, unsure)[0]


def test_a_drift_score_has_grown_where_it_has_doubled():
    condition = {"drift": {"on": "inputs"}}
    for newest, grown in ((0.39, False), (0.41, True)):
        known = facts(measured=measured(0.2, 0.2, newest), spent=answered(2))
        assert fires(condition, known)[0] is grown


@pytest.mark.parametrize("condition", ALARMS)
@pytest.mark.parametrize(
    ("rise", "low", "at_once"), [(2.1, 0.6, True), (1.9, 1.8, False), (2.1, 0.4, False)]
)
def test_a_rise_of_four_margins_that_is_sure_fires_at_once(condition, rise, low, at_once):
    (one,) = measured(rise, worse="sure")
    one = replace(one, rises=(one.rises[0].model_copy(update={"low": low}),))
    fired, because = fires(condition, facts(measured=(one,)))
    assert fired is at_once
    assert ("so far beyond the margin that it fires at once" in because) is at_once
    assert not fires(condition, facts(measured=(one,), spent=answered(1)))[0]


@pytest.mark.parametrize("condition", [*ALARMS, {"drift": {"on": "inputs"}}])
def test_the_newest_span_must_itself_be_on(condition):
    values, sure = (0.6, 0.6, 0.01), None if condition == {"drift": {"on": "inputs"}} else "sure"
    fired, because = fires(condition, facts(measured=measured(*values, worse=sure)))
    assert not fired
    assert because.endswith("and the newest, 2.csv, among them: it is off")


def test_without_a_champion_nothing_drifts():
    judged = evaluate(spec({"any": [{"drift": {}}, {"decay": {}}]}), facts(champion=None))
    assert judged.decision == "idle"
    assert "there is no champion to compare new spans with" in judged.because


@pytest.mark.parametrize(
    ("triggers", "decision"),
    [
        ({"any": [{"new_data": {}}, {"drift": {}}]}, "go"),
        ({"all": [{"new_data": {}}, {"drift": {}}]}, "idle"),
        ({"2 of 3": [{"new_data": {}}, {"drift": {}}, {"code": True}]}, "go"),
        ({"2 of 3": [{"new_data": {}}, {"drift": {}}, {"decay": {}}]}, "idle"),
        ({"any": [{"all": [{"new_data": {}}, {"code": True}]}, {"decay": {}}]}, "go"),
        ({}, "idle"),
    ],
)
def test_groups(triggers, decision):
    policy = spec(triggers)
    judged = evaluate(policy, facts(new=NEW))
    assert judged.decision == decision
    leaves = [c.kind for c in policy.triggers.conditions()]
    looked = [c.kind for c in judged.conditions]
    assert looked[: len(leaves)] == leaves  # every one is looked at, in the spec's order
    if decision == "idle":
        assert judged.signals == ()


ANY = {"any": [{"new_data": {}}]}


@pytest.mark.parametrize(
    ("holder", "more", "says"),
    [
        ({"cooldown": "6h"}, {"finished": (finished(5 * H),)}, "until 2026-11-18 13:00 UTC"),
        ({"cooldown": "6h"}, {"finished": (finished(6 * H),)}, None),
        ({"quiet": "Wed"}, {}, "until 2026-11-19 00:00 UTC"),
        (
            {"quiet": "Mon-Fri 08:00-18:00", "timezone": "Europe/Berlin"},
            {},
            "until 2026-11-18 17:00 UTC",
        ),
        ({"quiet": "Sat-Sun"}, {}, None),
        ({"quiet": "Mon-Sun"}, {}, "always: it covers the whole week"),
        (
            {"budget": {"trainings": 2, "per": "3d"}},
            {"opened": (NOW - 2 * D, NOW - D)},
            "2 of 2 are used, until 2026-11-19 12:00 UTC",
        ),
        ({"budget": {"trainings": 2, "per": "3d"}}, {"opened": (NOW - 3 * D, NOW - D)}, None),
        ({}, {"wakes": (wake(timedelta(minutes=14)),)}, "1 attempt since the last verdict"),
        ({}, {"wakes": (wake(timedelta(minutes=15)),)}, None),
        (
            {},
            {"wakes": (wake(29 * H / 60), wake(H))},
            "2 attempts since the last verdict, next try from 2026-11-18 12:01 UTC",
        ),
        ({}, {"wakes": (wake(H / 60, run_type="manual"),)}, None),
        ({}, {"wakes": (wake(H / 60, "skip"), wake(H / 30))}, None),
        ({}, {"wakes": (wake(23 * H),) * 20}, "20 attempts since the last verdict"),
        ({}, {"wakes": (wake(24 * H),) * 20}, None),
    ],
)
def test_what_holds_back(holder, more, says):
    policy = spec({**ANY, **holder})
    judged = evaluate(policy, facts(new=NEW, **more))
    assert judged.decision == ("wait" if says else "go")
    if says:
        assert says in judged.because
        assert judged.because.startswith(
            "new_data: 2 new spans: 5.csv, 6.csv, but it is held back by"
        )
    idle = evaluate(policy, facts(**more))
    assert idle.decision == "idle"  # what did not fire is not held back


HOLDERS = {"cooldown": "6h", "quiet": "Wed", "budget": {"trainings": 1, "per": "3d"}}


def test_a_person_is_held_back_by_a_cooldown_that_they_wish_for_alone():
    policy = spec({**ANY, **HOLDERS})
    busy = {"finished": (finished(H),), "opened": (NOW - H,), "trigger": Trigger(run_type="manual")}
    assert evaluate(policy, facts(**busy)).decision == "go"
    held = evaluate(policy, facts(**busy, cooldown_requested=True))
    assert held.decision == "wait"
    assert held.because == "held back by cooldown: 6h, until 2026-11-18 17:00 UTC"


def test_an_unfinished_run_is_gone_on_with_whatever_holds_back():
    policy = spec({**ANY, **HOLDERS})
    busy = {"finished": (finished(H),), "opened": (NOW - H,), "resumes": digest_of("r")}
    judged = evaluate(policy, facts(**busy))
    assert (judged.decision, judged.signals) == ("go", ("due",))
    again = (wake(H / 60).model_copy(update={"run_key": digest_of("r")}),)
    assert evaluate(policy, facts(**busy, wakes=again)).decision == "wait"


def test_staleness_overrides_quiet_and_cooldown_and_not_the_budget():
    triggers = {**ANY, "cooldown": "60d", "quiet": "Wed", "max_staleness": "30d"}
    judged = evaluate(spec(triggers), facts(finished=(finished(31 * D),)))
    assert (judged.decision, judged.signals, judged.stale) == ("go", ("due",), True)
    assert judged.because == "staleness: the last verdict is 31 days old, the limit is 30d"
    assert evaluate(spec(triggers), facts(finished=(finished(29 * D),))).decision == "idle"
    spent = {**triggers, "budget": {"trainings": 1, "per": "60d"}}
    held = evaluate(spec(spent), facts(finished=(finished(31 * D),), opened=(NOW - 31 * D,)))
    assert held.decision == "wait"
    never = evaluate(spec({"max_staleness": "30d"}), facts())
    assert never.because.startswith(
        "staleness: no verdict in 100 days since the first evaluation, the limit is 30d"
    )


def test_a_clock_that_is_behind_is_told():
    judged = evaluate(spec(ANY), facts(clock=NOW - D))
    assert judged.because.endswith("(this machine's clock is 24 h behind the ledger's)")


@given(st.lists(st.sampled_from([True, False, None]), max_size=30))
def test_a_reading_in_between_never_changes_the_state(turns):
    found = states(turns)
    assert len(found) == len(turns)
    clear = [turn for turn in turns if turn is not None]
    if found:
        assert found[-1] == (clear[-1] if clear else False)
    for before, turn, after in zip([False, *found], turns, found, strict=False):
        assert after == (before if turn is None else turn)
