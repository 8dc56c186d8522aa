"""The monitoring DAG, and when the two DAGs of a pipeline run."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pendulum
import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import AssetAlias, AssetAny, AssetOrTimeSchedule
from airflow.sdk import CronTriggerTimetable as CronTimetable
from airflow.timetables.trigger import CronTriggerTimetable
from everfit_airflow import schedules
from everfit_airflow.assets import bells, signals_of, what_rang
from everfit_airflow.pipeline_dags import schedules_of
from everfit_airflow.run_tab import WAKE
from everfit_airflow.schedules import (
    monitoring_schedule,
    sweep_cron,
    sweep_minutes,
    training_schedule,
)
from everfit_airflow.spec_errors import problems_of

from pipeline_components.contracts.errors import SpecError
from pipeline_components.contracts.spec_file import load_spec
from pipeline_components.contracts.steps import MONITORING
from pipeline_components.contracts.triggers import TriggerSpec

REPOSITORY = Path(__file__).resolve().parents[2]
DAG_FILE = REPOSITORY / "dags" / "everfit_pipelines.py"

NOW = pendulum.datetime(2026, 3, 1)

EVERYTHING = """
triggers:
  any:
    - schedule: "0 3 * * 1"
    - all:
        - new_data: {min_rows: 5000}
        - schedule: "30 6 1 * *"
    - 1 of 2:
        - drift: {on: loss_or_inputs, for: 2 of 3}
        - decay: {metric: mae, worse_by: 5%}
  cooldown: 6h
  timezone: Europe/Berlin
"""


@pytest.fixture
def written(folder):
    """Gives a function that puts other triggers into the pipeline."""

    def write(triggers: str = ""):
        text = (folder / "fares.yaml").read_text()
        (folder / "fares.yaml").write_text(text[: text.index("triggers:")] + triggers)
        return folder / "fares.yaml"

    return write


@pytest.fixture
def unwatched(monkeypatch):
    """A source nobody can watch."""
    monkeypatch.setattr(schedules, "_watchers", lambda spec: [])


def dag_of(kind: str):
    bag = DagBag(str(DAG_FILE), safe_mode=False)
    assert bag.import_errors == {}
    return bag.dags[f"fares.{kind}"]


def uris(asset_condition) -> list[str]:
    return [asset.uri for asset in asset_condition.objects]


def test_its_tasks_are_a_line_that_ends_in_a_wake_whatever_became_of_it(folder):
    dag = dag_of("monitor")
    assert {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks} == {
        "watch": ["extract"],
        "extract": ["monitor"],
        "monitor": ["drift_report", "wake"],
        "drift_report": ["measured"],
        "measured": [],
        "wake": [],
    }
    assert dag.get_task("wake").trigger_rule == "all_done"
    assert dag.get_task("measured").trigger_rule == "none_failed"
    assert dag.max_active_runs == 1
    assert dag.catchup is False
    assert {"everfit", "monitor", "regression", "taxi"} == dag.tags


def test_every_result_a_task_reads_is_there_before_it_starts(folder):
    dag = dag_of("monitor")
    for component, reads in MONITORING.items():
        task = dag.get_task(component)
        assert tuple(task.reads) == reads
        assert set(reads) <= task.get_flat_relative_ids(upstream=True)
    assert dag.get_task(WAKE).component == "plan"
    assert dag.get_task(WAKE).sweep


def test_the_wake_names_no_asset_that_its_success_alone_would_ring(folder):
    (outlet,) = dag_of("monitor").get_task(WAKE).outlets
    assert type(outlet) is AssetAlias
    assert outlet == bells("fares")


def test_the_wake_keeps_what_the_watcher_told(folder):
    dag = dag_of("monitor")
    (watched,) = dag.timetable.asset_condition.objects
    assert [watcher.name for watcher in watched.watchers] == ["fares.arrival"]
    (inlet,) = dag.get_task(WAKE).inlets
    assert inlet.uri == watched.uri == "everfit://fares/source"


def test_a_source_nobody_can_watch_is_swept(folder, unwatched):
    dag = dag_of("monitor")
    assert isinstance(dag.timetable, CronTimetable)
    assert dag.get_task(WAKE).inlets == []


def test_all_schedules_and_signals_wake_the_training(written, unwatched):
    written(EVERYTHING)
    dag = dag_of("train")
    assert isinstance(dag.timetable, AssetOrTimeSchedule)
    assert [one.expression for one in dag.timetable.timetable.timetables] == [
        "0 3 * * 1", "30 6 1 * *",
    ]  # fmt: skip
    assert isinstance(dag.timetable.asset_condition, AssetAny)
    assert uris(dag.timetable.asset_condition) == [
        "everfit://fares/new_data", "everfit://fares/drift", "everfit://fares/decay",
        "everfit://fares/due",
    ]  # fmt: skip


def test_without_a_schedule_only_signals_wake_the_training(written, unwatched):
    schedule = training_schedule(load_spec(written("triggers: {any: [{code: true}]}\n")))
    assert uris(schedule) == ["everfit://fares/code", "everfit://fares/due"]


def test_a_pipeline_without_conditions_is_never_woken(written):
    spec = load_spec(written())
    assert training_schedule(spec) is monitoring_schedule(spec) is None
    assert signals_of(spec.triggers) == ()


def test_what_must_not_become_stale_is_swept(written, unwatched):
    spec = load_spec(written("triggers: {max_staleness: 30d}\n"))
    assert uris(training_schedule(spec)) == ["everfit://fares/due"]
    assert monitoring_schedule(spec) is not None


def test_assets_that_rang_in_words():
    rang = ["everfit://fares/drift", "s3://elsewhere/new_data", "everfit://fares/new_data"]
    assert what_rang(rang) == "new_data, drift"
    assert what_rang(["everfit://fares/source"]) == "source"
    assert what_rang([]) == ""


@pytest.mark.parametrize(
    ("text", "minutes"),
    [(None, 15), ("", 15), ("1", 1), ("7", 6), ("59", 30), ("60", 60), ("100", 60), ("600", 480),
     ("99999", 1440)],
)  # fmt: skip
def test_a_sweep_comes_at_least_as_often_as_the_setting_says(text, minutes):
    assert sweep_minutes({} if text is None else {"EVERFIT_SWEEP": text}) == minutes


@pytest.mark.parametrize("minutes", [1, 2, 15, 60, 120, 1440])
def test_a_sweep_comes_regularly_day_and_night(minutes):
    cron = CronTriggerTimetable(sweep_cron("fares", minutes), timezone="UTC")
    cron.validate()
    at, found = NOW, []
    for _ in range(1440 // minutes + 2):
        at = cron._get_next(at)
        found.append(at)
    gaps = {(b - a).total_seconds() / 60 for a, b in pairwise(found)}
    assert gaps == {minutes}


def test_pipelines_do_not_all_start_at_once():
    first = [int(sweep_cron(f"p{n}", 15).partition("-")[0]) for n in range(100)]
    assert set(first) == set(range(15))
    assert max(first.count(minute) for minute in range(15)) <= 15  # 6.7 on average


def test_airflow_reads_every_cron_a_spec_may_hold():
    dice, taken = random.Random(0), 0
    ranges = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
    for _ in range(2000):
        cron = " ".join(_part(dice, *bounds) for bounds in ranges)
        try:
            TriggerSpec(schedule=cron)
        except ValueError:
            continue
        taken += 1
        CronTimetable(cron, timezone="UTC").validate()
        CronTriggerTimetable(cron, timezone="UTC")._align_to_next(NOW)
    assert taken > 500


def _part(dice: random.Random, low: int, high: int) -> str:
    first, last = sorted(dice.randint(low, high) for _ in range(2))
    step = dice.randint(1, 99)
    return dice.choice(
        ["*", "*", "*", f"*/{step}", str(first), f"{first}-{last}", f"{first}-{last}/{step}",
         f"{first},{last}", f"{first}/{step}"]
    )  # fmt: skip


@pytest.mark.parametrize("text", ["0", "-5", "often", "1.5"])
def test_what_is_no_period_is_said_of_every_pipeline(folder, monkeypatch, text):
    monkeypatch.setenv("EVERFIT_SWEEP", text)
    with pytest.raises(SpecError, match="EVERFIT_SWEEP"):
        schedules_of(load_spec(folder / "fares.yaml"))
    assert "EVERFIT_SWEEP" in problems_of(folder / "fares.yaml")
    assert DagBag(str(DAG_FILE), safe_mode=False).dags == {}


def test_the_page_says_what_wakes_it(written):
    written(EVERYTHING + "  quiet: Sat-Sun\n  budget: {trainings: 10, per: 30d}\n")
    page = dag_of("train").doc_md
    assert "- **Woken by** a person, or where any of these holds:" in page
    assert "\n    - it is time by `0 3 * * 1` (Europe/Berlin)\n" in page
    assert "\n    - all of these hold:\n        - 1 span and 5,000 rows are new, at least\n" in page
    assert "\n    - 1 of 2 of these hold:\n        - in 2 of the newest 3 spans the" in page
    assert "mean absolute error is worse by 5 %" in page
    assert "- **Not** within 6 hours of a verdict" in page
    assert "- **Quiet** Sat-Sun (Europe/Berlin)" in page
    assert "- **Budget** 10 trainings in any 30 days" in page
    assert "[fares.monitor](/dags/fares.monitor)" in page
    assert "[fares.train](/dags/fares.train)" in dag_of("monitor").doc_md


def test_the_page_of_a_pipeline_by_hand_says_so(written):
    written()
    page = dag_of("train").doc_md
    assert "- **Woken by** a person\n" in page
    assert "fares.monitor" not in page
    assert "only a person starts the training" in dag_of("monitor").doc_md


def test_a_training_task_loads_no_watcher(folder):
    script = (
        "import sys; from airflow.dag_processing.dagbag import DagBag;"
        f"bag = DagBag({str(DAG_FILE)!r}, safe_mode=False);"
        "assert list(bag.dags) == ['fares.train'];"
        "assert not [m for m in sys.modules if m.startswith('everfit_airflow.watching')]"
    )
    environ = {
        **os.environ,
        "_AIRFLOW_PARSING_CONTEXT_DAG_ID": "fares.train",
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "plugins")]),
    }
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], env=environ, check=True)
