"""The monitoring DAG, and when the two DAGs of a pipeline run."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pendulum
import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import AssetAlias, AssetAny, AssetOrTimeSchedule
from airflow.sdk import CronTriggerTimetable as CronTimetable
from airflow.serialization.decoders import decode_timetable
from airflow.serialization.encoders import encode_timetable
from airflow.timetables.base import TimeRestriction
from airflow.timetables.trigger import CronTriggerTimetable

from everfit.contracts.errors import SpecError
from everfit.contracts.messages.chain import monitoring_tasks
from everfit.contracts.spec.load import load_spec
from everfit_airflow.dags import schedules
from everfit_airflow.dags.assets import signals_in_words, signals_of, wake_alias
from everfit_airflow.dags.pipeline_dags import schedules_of
from everfit_airflow.dags.schedules import (
    monitoring_schedule,
    sweep_cron,
    sweep_minutes,
    training_schedule,
)
from everfit_airflow.dags.spec_errors import problems_of
from everfit_airflow.ui.run_tab import WAKE
from tests.scratch_package import scratch_package

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


@pytest.mark.parametrize("kind", ["train", "monitor"])
def test_no_backfill_is_offered_and_every_other_way_to_start_a_run_is(folder, kind):
    allowed = {str(one.value) for one in dag_of(kind).allowed_run_types}
    assert "backfill" not in allowed
    assert {"manual", "scheduled", "asset_triggered", "operator_triggered"} <= allowed


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


def test_where_refits_are_asked_for_one_can_be_gone_back_from_before_training_is_woken(folder):
    text = (folder / "fares.yaml").read_text()
    (folder / "fares.yaml").write_text(text.replace("train: {", "train: {refit: true, "))
    dag = dag_of("monitor")
    assert dag.get_task("monitor").downstream_task_ids == {"fall_back"}
    assert dag.get_task("fall_back").downstream_task_ids == {"drift_report", "wake"}
    assert "**fall_back**" in dag.doc_md


def test_every_result_a_task_reads_is_there_before_it_starts(folder):
    dag = dag_of("monitor")
    for each in monitoring_tasks(load_spec(folder / "fares.yaml")):
        if each.sweep:
            continue
        task, reads = dag.get_task(each.component), each.upstream
        assert tuple(task.reads) == reads
        assert set(reads) <= task.get_flat_relative_ids(upstream=True)
    assert dag.get_task(WAKE).component == "plan"
    assert dag.get_task(WAKE).sweep


def test_the_success_of_the_wake_task_alone_is_no_event_of_an_asset(folder):
    (outlet,) = dag_of("monitor").get_task(WAKE).outlets
    assert type(outlet) is AssetAlias
    assert outlet == wake_alias("fares")


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
        "0 3 * * 1",
        "30 6 1 * *",
    ]
    assert isinstance(dag.timetable.asset_condition, AssetAny)
    assert uris(dag.timetable.asset_condition) == [
        "everfit://fares/decay",
        "everfit://fares/drift",
        "everfit://fares/new_data",
        "everfit://fares/due",
    ]


@pytest.mark.parametrize("count", [1, 2])
def test_switching_on_starts_nothing_for_a_time_that_is_past(written, unwatched, count):
    past = pendulum.now("UTC") - timedelta(minutes=2)
    crons = [f"{past.minute} {past.hour} * * {past.isoweekday() % 7}", "0 0 1 1 *"][:count]
    conditions = "".join(f'    - schedule: "{cron}"\n' for cron in crons)
    spec = load_spec(written(f"triggers:\n  any:\n{conditions}  timezone: UTC\n"))
    seen = decode_timetable(encode_timetable(training_schedule(spec)))
    first = seen.next_dagrun_info(
        last_automated_data_interval=None,
        restriction=TimeRestriction(earliest=None, latest=None, catchup=False),
    )
    assert first.run_after > pendulum.now("UTC")


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


def test_asset_events_in_words():
    uris = ["everfit://fares/drift", "s3://elsewhere/new_data", "everfit://fares/new_data"]
    assert signals_in_words(uris) == "drift, new_data"
    assert signals_in_words(["everfit://fares/source"]) == "source"
    assert signals_in_words([]) == ""


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        (None, 15),
        ("", 15),
        ("1", 1),
        ("7", 6),
        ("59", 30),
        ("60", 60),
        ("100", 60),
        ("600", 480),
        ("99999", 1440),
    ],
)
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


def test_named_days_months_and_expressions_are_scheduled(written, unwatched):
    written("triggers: {any: [schedule: 0 3 * JAN MON-FRI, schedule: '@daily']}\n")
    both = dag_of("train").timetable.timetable
    assert [one.expression for one in both.timetables] == ["0 3 * 1 1,2,3,4,5", "0 0 * * *"]
    written("triggers: {schedule: '@hourly'}\n")
    dag = dag_of("train")
    assert dag.timetable.timetable.expression == "0 * * * *"
    assert "a tick of `@hourly` (UTC) is due" in dag.doc_md


@pytest.mark.parametrize("text", ["0", "-5", "often", "1.5"])
def test_what_is_no_period_is_said_of_every_pipeline(folder, monkeypatch, text):
    monkeypatch.setenv("EVERFIT_SWEEP", text)
    with pytest.raises(SpecError, match="EVERFIT_SWEEP"):
        schedules_of(load_spec(folder / "fares.yaml"))
    assert "EVERFIT_SWEEP" in problems_of(folder / "fares.yaml")
    assert DagBag(str(DAG_FILE), safe_mode=False).dags == {}


def test_the_page_says_what_triggers_it(written):
    written(EVERYTHING + "  quiet: Sat-Sun\n  budget: {trainings: 10, per: 30d}\n")
    page = dag_of("train").doc_md
    assert "- **Triggered by** a person, or when any of these is true:" in page
    assert "\n    - a tick of `0 3 * * 1` (Europe/Berlin) is due\n" in page
    assert (
        "\n    - all of these are true:\n"
        "        - at least 1 new span with 5,000 rows or more in total arrived\n"
    ) in page
    assert (
        "\n    - at least 1 of these 2 is true:\n"
        "        - the champion's loss or an input it depends on has drifted in 2 of the newest 3 "
        "spans (a loss 5 % higher or a drift score of 0.1)\n"
    ) in page
    assert "MAE is worse than attainable by 5 % in 2 of the newest 3 spans" in page
    assert "- **Cooldown** no training within 6 hours of a verdict" in page
    assert "- **Quiet** Sat-Sun (Europe/Berlin): no training then" in page
    assert "- **Budget** at most 10 trainings in any 30 days" in page
    assert "[fares.monitor](/dags/fares.monitor)" in page
    assert "[fares.train](/dags/fares.train)" in dag_of("monitor").doc_md


def test_the_page_of_a_pipeline_by_hand_says_so(written):
    written()
    page = dag_of("train").doc_md
    assert "- **Triggered by** a person\n" in page
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
        "PYTHONPATH": os.pathsep.join(
            str(REPOSITORY / folder) for folder in ("", "pipeline_components", "plugins")
        ),
    }
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], env=environ, check=True)


def test_a_kind_of_your_own_has_an_asset_and_its_words_on_the_page(folder, written, tmp_path):
    path = "everfit/contracts/spec/triggers/kinds/new_rows.py"
    scratch = scratch_package(tmp_path / "scratch", "explanation/triggers.md", path)
    written("triggers: {any: [new_rows: 5000, code: true]}\n")
    script = (
        "from airflow.dag_processing.dagbag import DagBag;"
        f"dag = DagBag({str(DAG_FILE)!r}, safe_mode=False).dags['fares.train'];"
        "print(*(asset.name for asset in dag.timetable.asset_condition.objects));"
        "print('    - at least 5,000 new rows arrived\\n' in dag.doc_md)"
    )
    environ = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(scratch), str(REPOSITORY), str(REPOSITORY / "plugins")]),
    }
    command = [sys.executable, "-W", "ignore", "-c", script]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["fares.code fares.new_rows fares.due", "True"]
