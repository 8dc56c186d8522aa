"""Bursts, lost events and dead parts on a real Airflow: every span once, or with its reason."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.airflow.soundness import assert_sound, trained_on, wait_until_trained
from tests.airflow.stand import SCHEDULERS, Stand, day_csv, training, until

Begin = Callable[..., str]


@pytest.fixture
def begin(stand: Stand) -> Iterator[Begin]:
    """Switch on a pipeline over three spans; by itself, unless told not to, it trains on them."""
    begun: list[str] = []

    def pipeline(name: str, trained: bool = True, **changes: Any) -> str:
        begun.append(stand.pipeline(name, **changes))
        first = stand.arrive(name, range(3))
        stand.ready(f"{name}.train", f"{name}.monitor")
        if trained:
            stand.api.trigger(f"{name}.train", {"reason": "the first"})
            wait_until_trained(stand, name, first)
        return name

    yield pipeline
    for name in begun:  # the sweeps of one storm are not to slow the next one down
        for part in ("train", "monitor"):
            stand.api.pause(f"{name}.{part}", True)


def wakes(stand: Stand, name: str, since: int = 0) -> list:
    """What plan made of the wakes of training, oldest first."""
    with stand.ledger() as ledger:
        found = ledger.evaluations(name, limit=10_000)
    return [each for each in reversed(found) if each.stage == "wake"][since:]


def test_a_thousand_events_train_once_within_the_budget_and_say_why(stand: Stand, begin: Begin):
    triggers = {"any": [{"new_data": {}}], "budget": {"trainings": 2, "per": "1d"}}
    name = begin("storm", triggers=triggers)
    bells = stand.bells(name)
    assert len(bells) >= 3
    batch = stand.arrive(name, (5, 3, 4))
    stand.burst(bells, 1000)
    wait_until_trained(stand, name, batch)
    assert_sound(stand, name, trainings=2)

    late = stand.arrive(name, (7, 6))
    stand.burst(bells, 50, seed=1)
    until(lambda: wakes(stand, name)[-1].decision == "wait", "the budget holds")
    until(lambda: stand.quiet(f"{name}.train"), "it is quiet")
    assert "budget" in wakes(stand, name)[-1].because
    assert_sound(stand, name, waiting=late, trainings=2)

    stand.api.trigger(f"{name}.train", {"reason": "a person may"})
    wait_until_trained(stand, name, late)
    assert_sound(stand, name, trainings=3)


def test_an_event_for_a_span_already_done_is_skipped_with_its_reason(stand: Stand, begin: Begin):
    name = begin("done_already")
    before = len(wakes(stand, name))
    runs = len(stand.runs(f"{name}.train"))
    for bell in stand.bells(name):
        stand.ring(bell, {"span": stand.present(name)[0]})
    until(lambda: len(stand.runs(f"{name}.train")) > runs, "woken")
    until(lambda: stand.quiet(f"{name}.train"), "it is quiet")
    new = wakes(stand, name, since=before)
    assert new
    assert {wake.decision for wake in new} <= {"skip", "idle"}
    run_id = stand.runs(f"{name}.train")[-1]["dag_run_id"]
    assert {task.state for task in stand.api.tasks(f"{name}.train", run_id)} == {"skipped"}
    assert new[-1].because in stand.api.xcom(f"{name}.train", run_id, "plan", "because")
    assert_sound(stand, name, trainings=1)


def test_what_came_while_the_dags_were_paused_is_found_later(stand: Stand, begin: Begin):
    name = begin("paused")
    dags = (f"{name}.train", f"{name}.monitor")
    for dag_id in dags:
        stand.api.pause(dag_id, True)
    missed = stand.arrive(name, (3, 4))
    stand.burst(stand.bells(name), 40)
    time.sleep(3)
    assert not trained_on(stand, name) & set(missed)
    for dag_id in dags:
        stand.api.pause(dag_id, False)
    wait_until_trained(stand, name, missed)
    assert_sound(stand, name, trainings=2)


@pytest.mark.parametrize("components", [False, True], ids=["alone", "with_all"])
def test_schedulers_killed_in_mid_training_end_the_run_once(
    stand: Stand, begin: Begin, components: bool
):
    name = begin("killed_with_all" if components else "killed_alone", trained=False)
    until(lambda: training(stand, name), "it is training")
    for scheduler in SCHEDULERS:
        stand.kill(scheduler, components=components)
    new = stand.arrive(name, (3,))
    for scheduler in SCHEDULERS:
        stand.restart(scheduler)
    wait_until_trained(stand, name, [*stand.present(name), *new])
    first = stand.runs(f"{name}.train")[0]
    assert first["state"] == "success"
    assert_sound(stand, name)


def test_a_file_that_came_while_the_triggerer_was_dead_is_trained_on(stand: Stand, begin: Begin):
    name = begin("unwatched", trained=False)
    stand.kill("triggerer")
    missed = stand.arrive(name, (3,))
    wait_until_trained(stand, name, missed)  # the sweep alone: nobody watches
    stand.restart("triggerer")
    watched = stand.arrive(name, (4,))
    wait_until_trained(stand, name, watched)
    assert_sound(stand, name, trainings=3)


def test_a_source_that_is_away_for_a_while_raises_no_storm(stand: Stand, begin: Begin):
    name = begin("away")
    here, away = stand.data / name, stand.data / f".{name}"
    began = time.time()
    runs = len(stand.runs(f"{name}.monitor"))
    here.rename(away)
    until(lambda: stand.runs(f"{name}.monitor", state="failed"), "monitoring says so")
    stand.burst(stand.bells(name), 20)
    time.sleep(15)
    away.rename(here)
    asked = len(stand.runs(f"{name}.monitor")) - runs
    assert asked <= 4 + (time.time() - began) / 60, "more than the sweeps and the bursts explain"
    failed = stand.runs(f"{name}.monitor", state="failed")[0]["dag_run_id"]
    lines = [
        stand.api.xcom(f"{name}.monitor", failed, task.task, "because")
        for task in stand.api.tasks(f"{name}.monitor", failed)
        if task.state == "failed"
    ]
    assert lines
    assert all(line.startswith("SOURCE-MISSING") and "\n" not in line for line in lines)
    new = stand.arrive(name, (3,))
    wait_until_trained(stand, name, new)
    assert_sound(stand, name, trainings=2)


def test_a_growing_file_is_left_alone_until_it_is_whole(stand: Stand, begin: Begin):
    name = begin("growing", source={"settle": 6})
    whole = day_csv(3)
    path = stand.data / name / "2020-03-05.csv"
    half = len(whole) // 2
    for end in range(half, len(whole) + 1, max((len(whole) - half) // 4, 1)):
        with path.open("w") as file:
            file.write(whole[:end])
            file.flush()
            os.fsync(file.fileno())
        stand.burst(stand.bells(name), 3)
        time.sleep(2.5)
    path.write_text(whole)
    wait_until_trained(stand, name, [path.name])
    with stand.ledger() as ledger:
        (rows,) = {
            record.snapshot["span"]["rows"]
            for record in ledger.spans(name)
            if record.name == path.name and record.snapshot
        }
    assert rows == whole.count("\n") - 1
    assert_sound(stand, name, trainings=2)
