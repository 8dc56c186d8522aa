"""Bursts, lost events and dead parts on a real Airflow: every span once, or with its reason."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.airflow.processes import training
from tests.airflow.soundness import assert_sound, wait_until_trained
from tests.airflow.stand import SCHEDULERS, Stand, day_csv, day_of, until

Begin = Callable[..., str]


@pytest.fixture
def begin(stand: Stand) -> Iterator[Begin]:
    """Make a pipeline over three spans and switch it on, unless told not to."""
    begun: list[str] = []

    def pipeline(name: str, on: bool = True, **changes: Any) -> str:
        begun.append(stand.pipeline(name, **changes))
        stand.arrive(name, range(3))
        for part in ("train", "monitor"):
            stand.airflow.wait_for_dag(f"{name}.{part}")
            stand.api.pause(f"{name}.{part}", not on)
        return name

    yield pipeline
    for name in begun:  # the sweeps of one storm are not to slow the next one down
        for part in ("train", "monitor"):
            stand.api.pause(f"{name}.{part}", True)


def wakes(stand: Stand, name: str) -> list[Any]:
    """What plan made of the wakes of training, newest first."""
    with stand.ledger() as ledger:
        return [e for e in ledger.evaluations(name, limit=10_000) if e.stage == "wake"]


def test_a_thousand_events_train_once_within_the_budget_and_say_why(stand: Stand, begin: Begin):
    triggers = {"any": [{"new_data": {}}], "budget": {"trainings": 1, "per": "1d"}}
    name = begin("storm", on=False, triggers=triggers)
    bells = stand.bells(name)
    assert len(bells) >= 3
    stand.ready(f"{name}.train", f"{name}.monitor")
    stand.burst(bells, 1000)
    wait_until_trained(stand, name, stand.present(name))
    assert_sound(stand, name, trainings=1)

    late = stand.arrive(name, (5, 3, 4))
    stand.burst(bells, 50, seed=1)
    until(lambda: wakes(stand, name)[0].decision == "wait", "the budget holds")
    until(lambda: stand.quiet(f"{name}.train"), "it is quiet")
    assert "budget" in wakes(stand, name)[0].because
    assert_sound(stand, name, waiting=late, trainings=1)

    stand.api.trigger(f"{name}.train", {"reason": "a person may"})
    wait_until_trained(stand, name, late)

    before = len(stand.runs(f"{name}.train"))
    for bell in bells:
        stand.ring(bell, {"span": late[0]})
    until(lambda: len(stand.runs(f"{name}.train")) > before, "woken for what is done")
    until(lambda: stand.quiet(f"{name}.train"), "it is quiet")
    run_id = stand.runs(f"{name}.train")[-1]["dag_run_id"]
    assert {task.state for task in stand.api.tasks(f"{name}.train", run_id)} == {"skipped"}
    assert wakes(stand, name)[0].decision in ("skip", "idle")
    assert wakes(stand, name)[0].because in stand.api.xcom(
        f"{name}.train", run_id, "plan", "because"
    )
    assert_sound(stand, name, trainings=2)


@pytest.mark.thorough
def test_what_came_while_the_dags_were_paused_is_found_later(stand: Stand, begin: Begin):
    name = begin("paused", on=False)
    stand.burst(stand.bells(name), 40)
    time.sleep(3)
    assert not stand.runs(f"{name}.train")
    stand.ready(f"{name}.train", f"{name}.monitor")
    wait_until_trained(stand, name, stand.present(name))
    assert_sound(stand, name, trainings=1)


@pytest.mark.parametrize(
    "components",
    [
        pytest.param(False, id="alone", marks=pytest.mark.thorough),
        pytest.param(True, id="with_all"),
    ],
)
def test_schedulers_killed_in_mid_training_end_the_run_once(
    stand: Stand, begin: Begin, components: bool
):
    name = begin("killed_with_all" if components else "killed_alone")
    until(lambda: training(stand.settings.home, name), "it is training")
    for scheduler in SCHEDULERS:
        stand.kill(scheduler, components=components)
    for scheduler in SCHEDULERS:
        stand.restart(scheduler)
    wait_until_trained(stand, name, stand.present(name))
    assert stand.runs(f"{name}.train")[0]["state"] == "success"
    assert_sound(stand, name, trainings=1)


def test_what_came_while_the_triggerer_was_dead_is_trained_on(stand: Stand, begin: Begin):
    stand.kill("triggerer")
    name = begin("unwatched")
    wait_until_trained(stand, name, stand.present(name))  # by the sweep alone
    stand.restart("triggerer")
    assert_sound(stand, name, trainings=1)


@pytest.mark.thorough
def test_a_source_that_is_away_for_a_while_raises_no_storm(stand: Stand, begin: Begin):
    name = begin("away", on=False)
    here, away = stand.data / name, stand.data / f".{name}"
    here.rename(away)
    began = time.monotonic()
    stand.ready(f"{name}.train", f"{name}.monitor")
    until(lambda: stand.runs(f"{name}.monitor", state="failed"), "monitoring says so")
    stand.burst(stand.bells(name), 100)
    time.sleep(20)
    asked = [*stand.runs(f"{name}.monitor"), *stand.runs(f"{name}.train")]
    sweeps = 1 + (time.monotonic() - began) / 60
    # Events that come while a run is at work are one run afterwards, in each of the two DAGs.
    assert len(asked) <= sweeps + 20, [run["dag_run_id"] for run in asked]
    failed = stand.runs(f"{name}.monitor", state="failed")[0]["dag_run_id"]
    lines = [
        stand.api.xcom(f"{name}.monitor", failed, task.task, "because")
        for task in stand.api.tasks(f"{name}.monitor", failed)
        if (task.state, task.tries) == ("failed", 1)
    ]
    assert lines
    assert all(line.startswith("SOURCE-MISSING") and "\n" not in line for line in lines)
    away.rename(here)
    wait_until_trained(stand, name, stand.present(name))
    assert_sound(stand, name, trainings=1)


@pytest.mark.thorough
def test_a_growing_file_is_left_alone_until_it_is_whole(stand: Stand, begin: Begin):
    name = begin("growing", on=False, source={"settle": 6})
    whole = day_csv(3)
    path = stand.data / name / f"{day_of(3)}.csv"
    path.write_text(whole[: len(whole) // 2])
    stand.ready(f"{name}.train", f"{name}.monitor")
    for share in (6, 7, 8, 9):
        path.write_text(whole[: len(whole) * share // 10])
        stand.burst(stand.bells(name), 3)
        time.sleep(3)
    path.write_text(whole)
    wait_until_trained(stand, name, [path.name])
    with stand.ledger() as ledger:
        read = [r for r in ledger.spans(name) if r.name == path.name and r.snapshot]
    assert [r.snapshot["span"]["rows"] for r in read] == [whole.count("\n") - 1]
    assert_sound(stand, name)


@pytest.mark.thorough
def test_a_burst_on_two_schedulers_one_of_them_killed_is_trained_on_once(stand: Stand):
    names = ("first", "second")
    for name in names:
        stand.pipeline(name)
        stand.arrive(name, range(3))
    stand.ready(*(f"{name}.{part}" for name in names for part in ("train", "monitor")))
    bells = [bell for name in names for bell in stand.bells(name)]
    stand.burst(bells, 200)
    until(lambda: training(stand.settings.home, *names), "one of them trains")
    first, second = SCHEDULERS
    stand.kill(first)
    stand.burst(bells, 50, seed=1)
    for name in names:
        wait_until_trained(stand, name, stand.present(name))
        assert_sound(stand, name, trainings=1)

    stand.restart(first)
    stand.kill(second, components=True)
    for name in names:
        wait_until_trained(stand, name, stand.arrive(name, (3,)))
        assert_sound(stand, name, trainings=2)
    stand.restart(second)
    for name in names:
        for part in ("train", "monitor"):
            stand.api.pause(f"{name}.{part}", True)
