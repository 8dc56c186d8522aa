"""Everything that may wake a training does, on a real scheduler and triggerer, and nothing else.

All pipelines are made, trained once and given something to be woken by at the same time; each test
then waits for its own. A sweep comes every minute here, a watcher looks every second.
"""

from __future__ import annotations

import csv
import io
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from everfit.contracts.settings import Settings
from everfit_launch.airflow_here import AirflowHere
from tests.airflow.stand import Stand, day_csv, day_of, on_postgresql, until
from tests.services import new_database

FIRST = range(3)
"""The days that each pipeline is first trained on, by hand."""

RISEN = range(3, 6)
"""The days after the fares rose: on the first a fresh model knows no better than the champion."""

PATIENCE = 600.0
NEVER = {"new_data": {"min_spans": 50}}
"""A condition that does not hold here; its signal must never ring."""

TRIGGERS: dict[str, dict[str, Any]] = {
    "arriving": {"any": [{"new_data": {}}, {"drift": {"for": "9 of 9"}}]},
    "on_time": {"any": [{"schedule": "* * * * *"}]},
    "recoded": {"any": [{"code": True}, NEVER]},
    "decaying": {"any": [{"decay": {"metric": "mae", "worse_by": "20%", "for": "1 of 1"}}, NEVER]},
    "drifting": {"any": [{"drift": {"on": "inputs", "for": "1 of 2"}}, NEVER]},
    "switched": {"any": [{"new_data": {}}]},
    "cooling": {"any": [{"new_data": {}}], "cooldown": "6h"},
}


class Here(Stand):
    """The stand's hand on the Airflow that all tests share."""

    def __init__(self, airflow: Any, places: dict[str, str]) -> None:
        self.airflow, self.api, self.environ = airflow, airflow.api, places
        self.settings = Settings.from_environment(places)
        self.data, self.specs = self.settings.data, self.settings.pipelines

    def states(self, dag_id: str, run: dict[str, Any]) -> dict[str, str | None]:
        """Task → state of a run."""
        return {task.task: task.state for task in self.api.tasks(dag_id, run["dag_run_id"])}

    def trained(self, name: str, run_type: str) -> list[dict[str, Any]]:
        """The runs of that type that went to their end."""
        dag_id = f"{name}.train"
        found = self.runs(dag_id, state="success", run_type=run_type)
        return [run for run in found if self.states(dag_id, run)["register"] == "success"]

    def rung(self, name: str) -> set[str]:
        """The signals of a pipeline that monitoring has rung."""
        events = self.api.call("GET", f"/assets/events?limit=1000&source_dag_id={name}.monitor")
        return {event["uri"].rpartition("/")[2] for event in events["asset_events"]}

    def page(self, address: str) -> str:
        """A page of Airflow's server, as somebody who is logged in sees it."""
        self.api.dag_ids()  # logs in where that is over
        token = {"Authorization": f"Bearer {self.api._token}"}
        request = urllib.request.Request(self.api.address + address, headers=token)
        with urllib.request.urlopen(request, timeout=30) as page:
            return page.read().decode()

    def wakes(self, name: str) -> list[Any]:
        """What the ledger says of every wake, the newest first; sweeps are no wakes."""
        with self.ledger() as ledger:
            return [e for e in ledger.evaluations(name, 500) if e.stage == "wake"]


def altered(name: str, number: int, change: Callable[[dict[str, str]], None]) -> str:
    """A pipeline's trips of a day, each row changed."""
    rows = list(csv.DictReader(io.StringIO(day_csv(number, of=name))))
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        change(row)
        writer.writerow(row)
    return out.getvalue()


def fares_rise(row: dict[str, str]) -> None:
    """A world in which a trip costs half as much again: the champion's errors grow."""
    row["fare"] = f"{float(row['fare']) * 1.5:.2f}"


def trips_lengthen(row: dict[str, str]) -> None:
    """Other trips, paid for as ever."""
    row["miles"] = f"{float(row['miles']) + 12:.2f}"


@pytest.fixture(scope="module")
def places(places: dict[str, str], postgresql_url: str) -> dict[str, str]:
    """The same, with the ledger on a server."""
    return {**places, "EVERFIT_LEDGER": new_database(postgresql_url)}


@pytest.fixture(scope="module")
def airflow(places: dict[str, str], postgresql_url: str) -> Iterator[AirflowHere]:
    """On PostgreSQL: so many things at once are more than SQLite is made for."""
    database = on_postgresql(new_database(postgresql_url))
    with AirflowHere(Settings.from_environment(places), places, 5, database) as here:
        yield here


@pytest.fixture(scope="module")
def here(airflow: Any, places: dict[str, str]) -> Iterator[Here]:
    """All pipelines, trained once by hand, and then whatever is to wake them."""
    airflow.start_triggerer()
    here = Here(airflow, places)
    runs = {}
    for name, triggers in TRIGGERS.items():
        here.pipeline(name, triggers=triggers)
        here.arrive(name, FIRST)
    for name in TRIGGERS:
        here.ready(f"{name}.train")
        if name != "on_time":  # that one begins by itself
            runs[name] = here.api.trigger(f"{name}.train", {"reason": "the first"})
    for name, run_id in runs.items():
        state = airflow.wait_for_run(f"{name}.train", run_id, timeout=PATIENCE)
        assert state == "success", name
    here.arrive("arriving", [3])
    recoded = here.specs / "recoded.yaml"
    spec = yaml.safe_load(recoded.read_text())
    recoded.write_text(yaml.safe_dump({**spec, "train": {**spec["train"], "seed": 1}}))
    for number in RISEN:
        here.place("decaying", number, altered("decaying", number, fares_rise))
    here.place("drifting", 3, altered("drifting", 3, trips_lengthen))
    here.api.pause("switched.train", True)
    here.arrive("switched", [3])
    here.arrive("cooling", [3])
    here.ready(*(f"{name}.monitor" for name in TRIGGERS if name not in ("on_time", "cooling")))
    yield here
    for name in TRIGGERS:
        for kind in ("train", "monitor"):
            here.api.pause(f"{name}.{kind}", True)


def run_woken_by(here: Here, name: str, signal: str) -> Any:
    """The wake that a signal led to, once its training has come to a verdict."""
    until(lambda: here.trained(name, "asset_triggered"), f"{name} trains", PATIENCE)
    wake = next(
        w for w in here.wakes(name) if w.decision == "train" and w.trigger.run_type == "asset"
    )
    assert signal in wake.trigger.reason.split(", ")
    assert any(one.kind == signal and one.fired for one in wake.conditions)
    return wake


def test_a_new_file_is_trained_on_without_anybody_asking(here: Here) -> None:
    wake = run_woken_by(here, "arriving", "new_data")
    assert f"{day_of(3)}.csv" in wake.because
    monitored = here.runs("arriving.monitor", state="success")
    assert any(run["run_type"] == "asset_triggered" for run in monitored)  # the watcher saw it
    assert here.rung("arriving") == {"new_data"}
    assert len(here.trained("arriving", "asset_triggered")) == 1


def test_a_schedule_trains_when_it_is_time(here: Here) -> None:
    until(lambda: here.trained("on_time", "scheduled"), "it is time", PATIENCE)
    # The minutes after it are looked at too, and found to hold nothing.
    until(lambda: here.wakes("on_time")[0].decision == "skip", "a tick with nothing new")
    here.arrive("on_time", [3])
    until(lambda: len(here.trained("on_time", "scheduled")) == 2, "it is time again", PATIENCE)
    here.api.pause("on_time.train", True)
    wakes = here.wakes("on_time")
    trained = [wake for wake in wakes if wake.decision == "train"]
    assert len(trained) == 2
    for wake in trained:
        assert wake.trigger.run_type == "scheduled"
        assert wake.trigger.due.endswith(":00+00:00")
        assert [one.kind for one in wake.conditions if one.fired] == ["schedule"]
    assert {wake.decision for wake in wakes} <= {"train", "skip", "idle"}


def test_changed_code_trains_again_on_the_same_spans(here: Here) -> None:
    wake = run_woken_by(here, "recoded", "code")
    assert "the spec" in wake.because
    assert here.rung("recoded") == {"code"}


def test_a_champion_that_has_become_worse_is_trained_anew(here: Here) -> None:
    run_woken_by(here, "decaying", "decay")
    assert here.rung("decaying") == {"decay"}


def test_drift_of_what_the_champion_depends_on_wakes_and_only_drift(here: Here) -> None:
    wake = run_woken_by(here, "drifting", "drift")
    assert f"{day_of(3)}.csv inputs" in " ".join(one.measured for one in wake.conditions)
    assert here.rung("drifting") == {"drift"}


def test_what_a_paused_training_missed_is_found_by_the_next_sweep(here: Here) -> None:
    until(lambda: "new_data" in here.rung("switched"), "a ring that nobody hears", PATIENCE)
    assert len(here.wakes("switched")) == 1  # the first, by hand
    here.api.pause("switched.train", False)
    run_woken_by(here, "switched", "new_data")


def test_a_person_is_only_held_back_where_they_say_so(here: Here) -> None:
    dag_id, held = "cooling.train", {}
    for cooldown in (True, False):
        run_id = here.api.trigger(dag_id, {"cooldown": cooldown, "reason": "now, please"})
        assert here.airflow.wait_for_run(dag_id, run_id, timeout=PATIENCE) == "success"
        held[cooldown] = here.api.xcom(dag_id, run_id, "plan", "because")
    assert held[True].startswith("PLAN-WAIT")
    assert "cooldown" in held[True]
    assert held[False] is None
    assert len(here.trained("cooling", "manual")) == 2
    last, before, _ = here.wakes("cooling")
    assert (last.decision, before.decision) == ("train", "wait")
    assert last.trigger.reason == before.trigger.reason == "now, please"


def test_a_quiet_sweep_wakes_nobody_and_costs_two_tasks(here: Here) -> None:
    run_woken_by(here, "recoded", "code")

    def quiet() -> dict[str, Any] | None:
        for run in reversed(here.runs("recoded.monitor", state="success")):
            if here.states("recoded.monitor", run)["watch"] == "skipped":
                return run
        return None

    run = until(quiet, "a sweep that finds nothing", PATIENCE)
    states = here.states("recoded.monitor", run)
    assert {name for name, state in states.items() if state == "success"} == {"wake", "measured"}
    because = here.api.xcom("recoded.monitor", run["dag_run_id"], "watch", "because")
    assert because.startswith("WATCH-NOTHING")
    page = f"/everfit/runs/recoded.monitor/{run['dag_run_id'].replace('+', '%2B')}"
    assert "WATCH-NOTHING" in here.page(page)
    trainings = len(here.trained("recoded", "asset_triggered"))
    time.sleep(5)
    assert len(here.trained("recoded", "asset_triggered")) == trainings == 1


def test_the_reports_of_monitoring_are_shown(here: Here) -> None:
    run_woken_by(here, "drifting", "drift")
    dag_id = "drifting.monitor"

    def measured() -> dict[str, Any] | None:
        for run in here.runs(dag_id):
            if here.states(dag_id, run)["drift_report"] == "success":
                return run
        return None

    run = until(measured, "Evidently's report", PATIENCE)
    mine = here.api.links(dag_id, run["dag_run_id"], "monitor")["Monitor report"]
    theirs = here.api.links(dag_id, run["dag_run_id"], "drift_report")["Drift report (Evidently)"]
    for address in (mine, theirs):
        assert "</html>" in here.page(address)
