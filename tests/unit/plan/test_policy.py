"""The policy as a function of facts: each condition, each holder, and how they combine."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_components.contracts.artifacts import Artifact
from pipeline_components.contracts.base import digest_of
from pipeline_components.contracts.monitoring import Rise
from pipeline_components.contracts.planning import ChampionRef, Trigger
from pipeline_components.contracts.spec import PipelineSpec
from pipeline_components.ledger.records import EvaluationRecord, MonitorRecord, RunRecord
from pipeline_components.plan.facts import Facts
from pipeline_components.plan.hysteresis import states
from pipeline_components.plan.new_spans import NewSpan
from pipeline_components.plan.policy import evaluate
from pipeline_components.plan.wakes import Decided

NOW = datetime(2026, 11, 18, 12, tzinfo=UTC)  # a Wednesday
H, D = timedelta(hours=1), timedelta(days=1)
BLOB = Artifact(name="x", digest=digest_of("x"), size=1)
CHAMPION = ChampionRef(
    version=3, run_key=digest_of("c"), model=BLOB, train=BLOB, window=(digest_of(1),), sequence=1
)


def spec(triggers, **more):
    return PipelineSpec.model_validate(
        {
            "name": "trips", "task": "regression", "target": "fare",
            "source": {"uri": "{data}/m/*.csv"}, "triggers": triggers,
            "gate": {"metric": "mae", "superior_by": "1%", "baseline": "median"}, **more,
        }
    )  # fmt: skip


def facts(**more):
    base = Facts(
        now=NOW, clock=NOW, since=NOW - 100 * D, trigger=Trigger(run_type="asset"),
        cooldown_wished=False, resumes=None, new=(), champion=CHAMPION, measured=(), wakes=(),
        decided=(), opened=(), spec=digest_of("s"), code=digest_of("k"), environment=digest_of("e"),
    )  # fmt: skip
    return replace(base, **more)


def decided(ago, **more):
    at = NOW - ago
    run = RunRecord(
        run_key=digest_of(str(ago)), spec=digest_of("s"), window=(), holdout=(),
        code=digest_of("k"), environment=digest_of("e"), seed=0, champion=None, trigger=Trigger(),
        at=(at - H).isoformat(),
    ).model_copy(update=more)  # fmt: skip
    return Decided(run, at)


def wake(ago, decision="train", run_type="asset", **more):
    return EvaluationRecord(
        trigger=Trigger(run_type=run_type), decision=decision, because="so", run_key=None,
        at=(NOW - ago).isoformat(), **more,
    )  # fmt: skip


def measured(*values, worse=None, state="measured"):
    """Records whose inputs score so, or whose loss rose so from 10."""
    found = []
    for place, value in enumerate(values):
        rises = ()
        if worse is not None:
            rises = (
                Rise(
                    metric="mae", reference=10, current=10 + value, worse=value,
                    low=value if worse == "sure" else -1, rows=500, labelled=1,
                    estimated=worse == "estimated", method="m",
                ),
            )  # fmt: skip
        found.append(
            MonitorRecord(
                champion=CHAMPION.run_key, version=3, span=digest_of(place), name=f"{place}.csv",
                rows=500, asked=digest_of("a"), state=state, rises=rises, because="so",
                inputs=0 if worse else value, columns=0 if worse else value, strongest=(),
                document=digest_of("d"),
            )
        )  # fmt: skip
    return tuple(found)


NEW = (NewSpan("5.csv", 400), NewSpan("6.csv", None))


@pytest.mark.parametrize(
    ("wanted", "new", "fires", "says"),
    [
        ({}, (), False, "every good span is in a decided run"),
        ({}, NEW, True, "2 spans: 5.csv, 6.csv"),
        ({"min_spans": 3}, NEW, False, "2 new spans, 3 wanted"),
        (
            {"min_rows": 500}, NEW, False,
            "400 rows in 5.csv, 6.csv, 500 wanted; not read yet, so without rows: 6.csv",
        ),
        ({"min_rows": 400}, NEW[:1], True, "1 span with 400 rows: 5.csv"),
    ],
)  # fmt: skip
def test_new_data(wanted, new, fires, says):
    judged = evaluate(spec({"any": [{"new_data": wanted}]}), facts(new=new))
    (one,) = [c for c in judged.conditions if c.kind == "new_data"]
    assert (one.fired, one.because) == (fires, says)
    assert judged.decision == ("go" if fires else "idle")
    assert judged.signals == (("new_data",) if fires else ())


def test_code():
    policy = spec({"any": [{"code": True}]})
    same = evaluate(policy, facts(decided=(decided(D),)))
    assert same.decision == "idle"
    assert "spec, components and environment are those of run" in same.because
    changed = evaluate(policy, facts(decided=(decided(D, code=digest_of("old")),)))
    assert changed.signals == ("code",)
    assert changed.because.endswith("the components")
    assert evaluate(policy, facts()).decision == "go"
    wished = decided(D, spec=digest_of("other window"))
    window = frozenset({wished.run.run_key})
    assert evaluate(policy, facts(decided=(wished,), only_the_window=window)).decision == "idle"


@pytest.mark.parametrize(
    ("wakes", "verdicts", "fires"),
    [
        ((), (), True),
        ((wake(H, "skip"),), (), True),  # before the tick of 11:30
        ((wake(timedelta(minutes=10), "skip"),), (), False),
        ((wake(timedelta(minutes=10)),), (), True),  # no verdict yet
        ((wake(H),), (decided(timedelta(minutes=10)),), True),  # the tick came during the run
        ((wake(timedelta(minutes=10), "skip", "backfill"),), (), True),
        ((wake(timedelta(minutes=10), "skip", stage="end"), wake(H)), (), True),
        (
            (
                wake(timedelta(minutes=5), "skip", stage="end"),
                wake(timedelta(minutes=10)),
            ),
            (), False,
        ),
    ],
)  # fmt: skip
def test_a_tick_is_due_until_it_is_dealt_with(wakes, verdicts, fires):
    policy = spec({"schedule": "30 11 * * *"})
    judged = evaluate(policy, facts(wakes=wakes, decided=verdicts))
    assert judged.conditions[0].fired is fires


def test_ticks_count_from_the_first_look():
    policy = spec({"schedule": "30 11 * * *", "timezone": "UTC"})
    judged = evaluate(policy, facts(since=NOW - timedelta(minutes=20)))
    assert judged.decision == "idle"
    assert judged.because == (
        "schedule: no tick since the first look at 2026-11-18 11:40 UTC; "
        "the next tick is 2026-11-19 11:30 UTC"
    )


@pytest.mark.parametrize(
    ("scores", "fires"),
    [
        ((), False),
        ((0.2,), False),  # 2 of 3 with one there
        ((0.2, 0.2), True),
        ((0.2, 0.07, 0.01), True),  # 0.07 is between off (0.05) and on (0.1): it keeps
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


def test_without_a_champion_nothing_drifts():
    judged = evaluate(spec({"any": [{"drift": {}}, {"decay": {}}]}), facts(champion=None))
    assert judged.decision == "idle"
    assert "there is no champion to be held against anything" in judged.because


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
    leaves = [c.given for c in policy.triggers.conditions()]
    looked = [c.kind for c in judged.conditions]
    assert looked[: len(leaves)] == leaves  # every one is looked at, in the spec's order
    if decision == "idle":
        assert judged.signals == ()


ANY = {"any": [{"new_data": {}}]}


@pytest.mark.parametrize(
    ("holder", "more", "says"),
    [
        ({"cooldown": "6h"}, {"decided": (decided(5 * H),)}, "until 2026-11-18 13:00 UTC"),
        ({"cooldown": "6h"}, {"decided": (decided(6 * H),)}, None),
        ({"quiet": "Wed"}, {}, "until 2026-11-19 00:00 UTC"),
        (
            {"quiet": "Mon-Fri 08:00-18:00", "timezone": "Europe/Berlin"}, {},
            "until 2026-11-18 18:00 Europe/Berlin",
        ),
        ({"quiet": "Sat-Sun"}, {}, None),
        ({"quiet": "Mon-Sun"}, {}, "always: it names the whole week"),
        (
            {"budget": {"trainings": 2, "per": "3d"}}, {"opened": (NOW - 2 * D, NOW - D)},
            "2 of 2 are spent, until 2026-11-19 12:00 UTC",
        ),
        ({"budget": {"trainings": 2, "per": "3d"}}, {"opened": (NOW - 3 * D, NOW - D)}, None),
        ({}, {"wakes": (wake(timedelta(minutes=14)),)}, "1 attempt since the last verdict"),
        ({}, {"wakes": (wake(timedelta(minutes=15)),)}, None),
        (
            {}, {"wakes": (wake(29 * H / 60), wake(H))},
            "2 attempts since the last verdict, tried again from 2026-11-18 12:01 UTC",
        ),
        ({}, {"wakes": (wake(H / 60, run_type="manual"),)}, None),
        ({}, {"wakes": (wake(H / 60, "skip"), wake(H / 30))}, None),
        ({}, {"wakes": (wake(23 * H),) * 20}, "20 attempts since the last verdict"),
        ({}, {"wakes": (wake(24 * H),) * 20}, None),
    ],
)  # fmt: skip
def test_what_holds_back(holder, more, says):
    policy = spec({**ANY, **holder})
    judged = evaluate(policy, facts(new=NEW, **more))
    assert judged.decision == ("wait" if says else "go")
    if says:
        assert says in judged.because
        assert judged.because.startswith("new_data: 2 spans: 5.csv, 6.csv, but it is held back by")
    idle = evaluate(policy, facts(**more))
    assert idle.decision == "idle"  # what did not fire is not held back


HOLDERS = {"cooldown": "6h", "quiet": "Wed", "budget": {"trainings": 1, "per": "3d"}}


def test_a_person_is_held_back_by_a_cooldown_that_they_wish_for_alone():
    policy = spec({**ANY, **HOLDERS})
    busy = {"decided": (decided(H),), "opened": (NOW - H,), "trigger": Trigger(run_type="manual")}
    assert evaluate(policy, facts(**busy)).decision == "go"
    held = evaluate(policy, facts(**busy, cooldown_wished=True))
    assert held.decision == "wait"
    assert held.because == "held back by cooldown: 6h, until 2026-11-18 17:00 UTC"


def test_an_unfinished_run_is_gone_on_with_whatever_holds_back():
    policy = spec({**ANY, **HOLDERS})
    busy = {"decided": (decided(H),), "opened": (NOW - H,), "resumes": digest_of("r")}
    judged = evaluate(policy, facts(**busy))
    assert (judged.decision, judged.signals) == ("go", ("due",))
    again = (wake(H / 60).model_copy(update={"run_key": digest_of("r")}),)
    assert evaluate(policy, facts(**busy, wakes=again)).decision == "wait"


def test_staleness_overrides_quiet_and_cooldown_and_not_the_budget():
    triggers = {**ANY, "cooldown": "60d", "quiet": "Wed", "max_staleness": "30d"}
    judged = evaluate(spec(triggers), facts(decided=(decided(31 * D),)))
    assert (judged.decision, judged.signals, judged.stale) == ("go", ("due",), True)
    assert judged.because == "staleness: the last verdict is 31 days old, 30d is the most"
    assert evaluate(spec(triggers), facts(decided=(decided(29 * D),))).decision == "idle"
    spent = {**triggers, "budget": {"trainings": 1, "per": "60d"}}
    held = evaluate(spec(spent), facts(decided=(decided(31 * D),), opened=(NOW - 31 * D,)))
    assert held.decision == "wait"
    never = evaluate(spec({"max_staleness": "30d"}), facts())
    assert never.because.startswith("staleness: there was no verdict in the 100 days")


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
