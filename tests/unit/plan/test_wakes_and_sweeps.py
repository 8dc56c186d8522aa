"""Plan under triggers: who may wake it, what sweeps say, and what the ledger keeps."""

from __future__ import annotations

from datetime import timedelta

import pytest

from everfit.contracts.messages.planning import Trigger
from everfit.contracts.messages.steps import Order
from everfit.engine.execute import perform
from tests.unit.plan.simulated_chain import BEGIN, chain

DATA = {"any": [{"new_data": {}}]}
DAILY = {"schedule": "0 3 * * *"}
THREE = (BEGIN + timedelta(days=1)).replace(hour=3)


def test_a_wake_says_what_woke_it_and_the_ledger_keeps_every_condition(context):
    with chain(context, {**DATA, "cooldown": "6h"}) as days:
        days.arrive()
        days.arrive()
        plan = days.wake()
        assert plan.because == (
            "new_data: 2 new spans: 2026-01-01.csv, 2026-01-02.csv; there is no champion yet; "
            "training on 2026-01-01.csv, judging on 2026-01-02.csv"
        )
        (record,) = days.context.ledger.evaluations("days")
        assert [(c.kind, c.fired) for c in record.conditions] == [
            ("new_data", True),
            ("back-off", False),
            ("cooldown", False),
        ]
        days.arrive()
        assert days.sweep().decision == "wait"
        days.now += timedelta(hours=6)
        assert days.sweep().signals == ("new_data",)


@pytest.mark.parametrize("run_type", ["manual", "cli"])
def test_a_person_needs_no_condition(context, run_type):
    with chain(context, {**DAILY, "quiet": "Mon-Sun"}) as days:
        days.arrive()
        days.arrive()
        plan = days.wake(run_type)
        assert plan.decision == "train"
        assert plan.because.startswith("there is no champion yet")
        assert [(c.kind, c.fired) for c in plan.conditions] == [("schedule", False)]


def test_without_triggers_only_a_person_trains(context):
    with chain(context, {}) as days:
        days.arrive()
        days.arrive()
        plan = days.wake("asset")
        assert (plan.decision, plan.because) == (
            "idle",
            "the pipeline has no triggers: a person starts it",
        )
        assert days.wake("cli").decision == "train"


def test_a_backfill_trains_nothing_and_deals_with_nothing(context):
    with chain(context, DAILY) as days:
        days.arrive()
        days.arrive()
        days.sweep()
        days.now = THREE
        plan = days.wake("backfill", due=(THREE - timedelta(days=9)).isoformat())
        assert plan.decision == "skip"
        assert "a backfill trains nothing" in plan.because
        assert days.sweep().signals == ("due",)


def test_a_run_that_catches_up_leaves_the_work_to_the_newest_tick(context):
    with chain(context, DAILY) as days:
        days.arrive()
        days.arrive()
        days.sweep()
        days.now = THREE + timedelta(days=2)
        for late in (0, 1):
            plan = days.wake("scheduled", due=(THREE + timedelta(days=late)).isoformat())
            assert plan.decision == "skip"
            assert "a newer tick, 2026-01-08 03:00 UTC, has followed" in plan.because
        newest = (THREE + timedelta(days=2)).isoformat()
        assert days.wake("scheduled", due=newest).decision == "train"
        assert days.wake("scheduled", due=newest).decision == "idle"  # the tick, doubled


def test_the_first_wake_ever_may_be_a_tick(context):
    with chain(context, DAILY) as days:
        days.arrive()
        days.arrive()
        days.now = THREE + timedelta(seconds=2)
        days.crash_after = "plan"
        assert days.wake("scheduled", due=THREE.isoformat()).decision == "train"
        days.now += timedelta(minutes=20)
        assert days.sweep().signals == ("due",)


def test_a_tick_with_nothing_new_is_dealt_with(context):
    with chain(context, DAILY) as days:
        days.arrive()
        days.arrive()
        days.wake("cli")
        days.now = THREE
        sweep = days.sweep()
        assert (sweep.decision, sweep.signals) == ("skip", ())
        plan = days.wake("scheduled", due=THREE.isoformat())
        assert plan.decision == "skip"
        assert plan.because.startswith("schedule: the tick of 2026-01-06 03:00 UTC is due; nothing")
        assert days.sweep().decision == "idle"


def test_old_spans_before_the_window_are_not_new(context):
    more = {"window": {"spans": 2}}
    with chain(context, {"any": [{"new_data": {"min_spans": 2}}]}, **more) as days:
        for _ in range(8):
            days.arrive()
        assert days.wake().decision == "train"
        assert days.sweep().decision == "idle"
        days.arrive()
        assert "1 new span, 2 needed" in days.sweep().because
        for _ in range(5):
            days.arrive()
        assert days.wake().decision == "train"
        assert days.sweep().because == "new_data: finished runs have used every good span"


def test_a_run_with_another_window_is_no_changed_code(context):
    with chain(context, {"any": [{"code": True}]}) as days:
        for _ in range(4):
            days.arrive()
        days.wake()
        days.wake("manual", window=2)
        assert days.sweep().decision == "idle"


def test_staleness_is_told_once_and_only_where_nothing_is_done(context):
    triggers = {**DATA, "max_staleness": "3d", "budget": {"trainings": 1, "per": "10d"}}
    with chain(context, triggers) as days:
        days.arrive()
        days.arrive()
        days.wake()
        days.now += timedelta(days=3)
        first, second = days.sweep(), days.sweep()
        assert [news.kind for news in first.news] == ["stale"]
        assert first.news[0].what == (
            "days is stale: the last verdict is 3 days old, the limit is 3d"
        )
        assert second.news == ()
        days.arrive()
        held = days.sweep()
        assert (held.decision, held.news) == ("wait", ())
        days.now += timedelta(days=8)
        going = days.sweep()
        assert (going.decision, going.news) == ("train", ())
        assert set(going.signals) == {"new_data", "due"}


def test_a_sweep_through_the_common_door(context):
    with chain(context, DATA) as days:
        days.arrive()
        days.arrive()
        order = Order(
            component="plan", pipeline=days.spec, sweep=True, trigger=Trigger(run_type="scheduled")
        )
        outcome = perform(order, days.context)
        assert outcome.signals == ("new_data",)
        assert outcome.summary.decision == "train"
        (record,) = days.context.ledger.evaluations("days")
        assert (record.stage, record.decision) == ("sweep", "train")
        assert days.context.ledger.decisions("days") == []
        assert days.context.ledger.runs("days") == []
