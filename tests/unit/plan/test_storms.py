"""Storms, lost wakes, crashes and wrong clocks: every span is dealt with, within the budget."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from tests.unit.plan.simulated_chain import chain

ANY_DATA = {"any": [{"new_data": {}}]}


def test_a_thousand_wakes_give_one_training(context):
    with chain(context, ANY_DATA) as days:
        days.arrive()
        days.arrive()
        for _ in range(1000):
            days.wake()
            days.now += timedelta(seconds=1)
        assert len(days.opened) == 1
        assert [plan.decision for plan in days.planned] == ["train"] + ["idle"] * 999
        assert days.unaccounted() == []


def test_a_lost_wake_costs_a_delay_only(context):
    with chain(context, ANY_DATA) as days:
        days.arrive()
        days.arrive()
        days.now += timedelta(minutes=15)
        assert days.sweep().signals == ("new_data",)
        days.now += timedelta(minutes=15)  # the ring was lost; the next sweep rings again
        assert days.sweep().signals == ("new_data",)
        days.wake()
        assert days.sweep().signals == ()
        assert days.unaccounted() == []


@pytest.mark.parametrize("step", ["plan", "extract", "validate"])
def test_a_crash_is_made_up_for_after_a_pause(context, step):
    with chain(context, {"any": [{"schedule": "0 3 * * *"}]}) as days:
        days.arrive()
        days.arrive()
        days.sweep()
        days.now = days.now.replace(hour=3, minute=0) + timedelta(days=1)
        due = days.now.isoformat()
        days.crash_after = step
        days.wake("scheduled", due=due)
        soon = days.sweep()
        assert (soon.decision, soon.signals) == ("wait", ())
        assert "1 attempt since the last verdict, next try from" in soon.because
        days.now += timedelta(minutes=15)
        assert days.sweep().signals == ("due",)
        assert days.wake().decision == "train"
        assert len(days.opened) == 1
        assert days.sweep().decision == "idle"
        assert days.unaccounted() == []


def test_what_arrives_during_a_run_is_trained_after_it(context):
    with chain(context, {"any": [{"new_data": {}}, {"schedule": "0 3 * * *"}]}) as days:
        days.arrive()
        days.arrive()
        plan = days.look()
        days.arrive()
        days.now = days.now.replace(hour=3, minute=0) + timedelta(days=1)  # a tick passes as well
        days._train(plan)
        after = days.wake()
        assert after.decision == "train"
        assert "schedule: the tick of 2026-01-06 03:00 UTC is due" in after.because
        assert days.unaccounted() == []
        assert days.wake().decision == "idle"


def test_a_run_that_ends_early_is_dealt_with(context):
    with chain(context, {"any": [{"schedule": "0 3 * * *"}]}) as days:
        days.arrive(bad="quarantined")
        days.arrive()
        days.sweep()
        days.now = days.now.replace(hour=3, minute=0) + timedelta(days=1)
        assert days.wake("scheduled", due=days.now.isoformat()).decision == "train"
        ended = days.context.ledger.evaluations("days", 1)[0]
        assert (ended.stage, ended.decision) == ("end", "skip")
        assert ended.because.startswith("VALIDATE-FEW")
        assert days.sweep().decision == "idle"


def step(days, world):
    """One thing that may happen."""
    event = world.choices(
        ["time", "long", "arrive", "wake", "twice", "sweep", "person", "crash", "jump", "burst"],
        [20, 4, 10, 10, 4, 20, 1, 4, 2, 1],
    )[0]
    if event == "time":
        days.now += timedelta(minutes=world.randrange(1, 180))
    elif event == "long":  # nobody looks: the DAGs are paused, or the source is out of reach
        days.now += timedelta(days=world.randrange(1, 6))
    elif event == "arrive":
        days.arrive(world.choices(["", "refused", "quarantined"], [8, 1, 1])[0])
    elif event == "wake":
        days.wake(world.choice(["asset", "asset", "scheduled"]))
    elif event == "twice":
        days.wake()
        days.wake()
    elif event == "sweep":
        rings = days.sweep().signals
        for _ in rings:
            if world.random() < 0.7:  # else the ring is lost
                days.wake()
    elif event == "person":
        days.wake("manual")
    elif event == "crash":
        days.crash_after = world.choice(["plan", "extract", "validate"])
        days.wake()
        days.crash_after = ""
    elif event == "jump":
        days.skew = timedelta(days=world.choice([-1, 0, 0, 1]))
    else:
        for _ in range(5):
            days.arrive()


POLICIES = {
    "new data": {"any": [{"new_data": {}}], "budget": {"trainings": 4, "per": "7d"}},
    "all of it": {
        "any": [{"new_data": {"min_rows": 20, "min_spans": 2}}, {"schedule": "0 3 * * *"}],
        "cooldown": "6h",
        "quiet": "Sat-Sun",
        "max_staleness": "5d",
        "timezone": "Europe/Berlin",
        "budget": {"trainings": 3, "per": "4d"},
    },
    "both": {"all": [{"new_data": {}}, {"schedule": "30 2 * * 1,4"}], "timezone": "Europe/Berlin"},
}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_every_span_is_dealt_with_once(context, policy, seed):
    world = random.Random(f"{policy} {seed}")
    with chain(context, POLICIES[policy]) as days:
        for _ in range(100):
            step(days, world)
        days.skew = timedelta(0)
        for _ in range(150):  # peace: sweeps go on, and rings are heard
            days.now += timedelta(hours=3)
            if days.sweep().signals:
                days.wake()
        assert days.unaccounted() == []
        assert days.sweep().decision in ("idle", "skip")
        limit = POLICIES[policy].get("budget")
        if limit:
            length = timedelta(days=int(limit["per"][:-1]))
            for at, by_a_person in days.opened:
                within = [other for other, _ in days.opened if at - length < other <= at]
                assert by_a_person or len(within) <= limit["trainings"]
        kinds = {plan.decision for plan in days.planned}
        assert kinds >= ({"train", "wait", "idle"} if limit else {"train", "idle"})
