"""Real tables through a real scheduler: to a champion, to a skip, to a clear failure."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PIPELINES = ("taxi_fare", "chicago_tips", "penguins")
PATIENCE = 900.0


@pytest.fixture(scope="module")
def first_runs(airflow) -> dict[str, str]:
    """Pipeline → the id of its first run, all started at once, all ended."""
    runs = {}
    for name in PIPELINES:
        airflow.wait_for_dag(f"{name}.train")
        # Started before it is switched on, so that no schedule comes before it.
        runs[name] = airflow.api.trigger(f"{name}.train", {"reason": "the first"})
        airflow.api.pause(f"{name}.train", False)
    for name, run_id in runs.items():
        airflow.wait_for_run(f"{name}.train", run_id, timeout=PATIENCE)
    return runs


def told(airflow, dag_id: str, run_id: str) -> dict[str, str]:
    """The lines of tasks that failed or skipped."""
    return {
        f"{task.task} {task.label}".strip(): airflow.api.xcom(
            dag_id, run_id, task.task, "because", task.map_index
        )
        for task in airflow.api.tasks(dag_id, run_id)
        if task.state != "success"
    }


@pytest.mark.parametrize("name", PIPELINES)
def test_a_real_table_reaches_a_registered_champion(airflow, first_runs, name):
    dag_id, run_id = f"{name}.train", first_runs[name]
    assert airflow.api.run_state(dag_id, run_id) == "success", told(airflow, dag_id, run_id)
    gate = airflow.api.xcom(dag_id, run_id, "gate")["summary"]
    assert gate["verdict"] == "promote", gate
    registered = airflow.api.xcom(dag_id, run_id, "register")["summary"]
    assert registered["version"] == registered["champion"] == 1


def test_train_is_one_task_a_family_and_shows_it(airflow, first_runs):
    tasks = airflow.api.tasks("taxi_fare.train", first_runs["taxi_fare"])
    assert {task.label for task in tasks if task.task == "train"} == {
        "linear",
        "boosting",
        "extra_trees",
    }


@pytest.mark.parametrize("name", PIPELINES)
def test_only_small_json_travels_between_tasks(airflow, first_runs, name):
    dag_id, run_id = f"{name}.train", first_runs[name]
    for task in airflow.api.tasks(dag_id, run_id):
        outcome = airflow.api.xcom(dag_id, run_id, task.task, map_index=task.map_index)
        assert len(json.dumps(outcome)) < 4096


def test_the_reports_are_shown_to_users_who_are_logged_in(airflow, first_runs):
    dag_id, run_id = "taxi_fare.train", first_runs["taxi_fare"]
    data = airflow.api.links(dag_id, run_id, "validate")["Data report"]
    decision = airflow.api.links(dag_id, run_id, "gate")["Decision report"]
    run = airflow.api.links(dag_id, run_id, "register")["MLflow run"]
    assert run.startswith("http://localhost:1/")
    tab = f"/everfit/runs/{dag_id}/{urllib.request.quote(run_id)}"
    for address in (data, decision, f"{tab}/decision_report"):
        url = airflow.api.address + address
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(url, timeout=30)
        assert refused.value.code == 401
        refused.value.close()
        token = {"Authorization": f"Bearer {airflow.api._token}"}
        with urllib.request.urlopen(urllib.request.Request(url, headers=token), timeout=30) as page:
            assert page.headers["content-security-policy"].startswith("sandbox")
            assert b"</html>" in page.read()


def test_a_run_where_nothing_changed_is_skipped_and_says_so(airflow, first_runs):
    dag_id = "chicago_tips.train"
    run_id = airflow.api.trigger(dag_id)
    assert airflow.wait_for_run(dag_id, run_id, timeout=PATIENCE) == "success"
    states = {task.task: task.state for task in airflow.api.tasks(dag_id, run_id)}
    assert set(states.values()) == {"skipped"}
    assert airflow.api.xcom(dag_id, run_id, "plan", "because")


@pytest.mark.thorough
def test_a_forced_run_goes_through_every_step_and_computes_nothing(airflow, first_runs):
    dag_id = "penguins.train"
    run_id = airflow.api.trigger(dag_id, {"force": True, "reason": "once more"})
    assert airflow.wait_for_run(dag_id, run_id, timeout=PATIENCE) == "success"
    tasks = airflow.api.tasks(dag_id, run_id)
    assert {task.state for task in tasks} == {"success"}
    cached = {
        task.task: airflow.api.xcom(dag_id, run_id, task.task, map_index=task.map_index)["cached"]
        for task in tasks
    }
    # Those three look at the world each time; what they find there is not done again either.
    assert cached.pop("plan") is cached.pop("extract") is cached.pop("register") is False
    assert all(cached.values()), cached
    first = airflow.api.xcom(dag_id, first_runs["penguins"], "register")["summary"]
    assert airflow.api.xcom(dag_id, run_id, "register")["summary"] == first


@pytest.mark.thorough
def test_airflow_finds_what_the_command_line_has_done(airflow, places):
    text = (REPOSITORY / "tests" / "specs" / "penguins.yaml").read_text()
    Path(places["EVERFIT_PIPELINES"], "by_hand.yaml").write_text(text)
    done = subprocess.run(
        [str(REPOSITORY / ".venv" / "bin" / "everfit"), "run", "by_hand"],
        env={k: v for k, v in places.items() if not k.startswith("PYTHON")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    dag_id = "by_hand.train"
    airflow.wait_for_dag(dag_id)
    airflow.api.pause(dag_id, False)
    run_id = airflow.api.trigger(dag_id)
    assert airflow.wait_for_run(dag_id, run_id, timeout=PATIENCE) == "success"
    assert {task.state for task in airflow.api.tasks(dag_id, run_id)} == {"skipped"}


def test_the_command_line_finds_what_airflow_has_done(first_runs, places):
    done = subprocess.run(
        [str(REPOSITORY / ".venv" / "bin" / "everfit"), "run", "chicago_tips"],
        env={k: v for k, v in places.items() if not k.startswith("PYTHON")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Nothing" in done.stdout


def test_a_broken_yaml_is_its_own_import_error_until_it_is_mended(airflow, places):
    for name in PIPELINES:
        airflow.wait_for_dag(f"{name}.train")
    until(airflow.api.import_errors)
    errors = airflow.api.import_errors()
    assert list(errors) == ["broken.yaml.py"]
    assert "gate: is required" in errors["broken.yaml.py"]
    assert "broken.train" not in airflow.api.dag_ids()
    spec = Path(places["EVERFIT_PIPELINES"], "broken.yaml")
    spec.write_text((REPOSITORY / "tests" / "specs" / "penguins.yaml").read_text())
    until(lambda: "broken.train" in airflow.api.dag_ids() and not airflow.api.import_errors())


def until(holds, seconds: float = 180.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_a_mistake_fails_the_run_at_once_with_its_one_line(airflow, places):
    pipelines = Path(places["EVERFIT_PIPELINES"])
    text = (REPOSITORY / "tests" / "specs" / "penguins.yaml").read_text()
    (pipelines / "nowhere.yaml").write_text(text.replace("penguins.csv", "nothing-here.csv"))
    dag_id = "nowhere.train"
    airflow.wait_for_dag(dag_id)
    airflow.api.pause(dag_id, False)
    run_id = airflow.api.trigger(dag_id)
    assert airflow.wait_for_run(dag_id, run_id, timeout=PATIENCE) == "failed"
    plan = next(task for task in airflow.api.tasks(dag_id, run_id) if task.task == "plan")
    assert (plan.state, plan.tries) == ("failed", 1)
    line = airflow.api.xcom(dag_id, run_id, "plan", "because")
    assert "nothing-here.csv" in line
    log = Path(
        places["EVERFIT_HOME"],
        "airflow",
        "logs",
        f"dag_id={dag_id}",
        f"run_id={run_id}",
        "task_id=plan",
        "attempt=1.log",
    ).read_text()
    assert "Traceback" not in log
    assert "error_detail" not in log


def test_neither_a_killed_task_nor_a_failed_run_leaves_a_component_behind(airflow, places):
    # Other trials than those of the first run, and many: nothing is found, and it takes a while.
    text = (REPOSITORY / "dags" / "pipelines" / "taxi_fare.yaml").read_text()
    spec = text.replace("trials: 4", "trials: 60").replace(
        "families: [linear, boosting, extra_trees]", "families: [gradient_boosting]"
    )
    assert "trials: 60" in spec
    assert "families: [gradient_boosting]" in spec
    Path(places["EVERFIT_PIPELINES"], "slow.yaml").write_text(spec)
    dag_id = "slow.train"
    airflow.wait_for_dag(dag_id)
    airflow.api.pause(dag_id, False)
    run_id = airflow.api.trigger(dag_id)

    first = _component_at_work(airflow, dag_id, run_id, attempt=1)
    os.kill(_parent_of(first), signal.SIGKILL)
    second = _component_at_work(airflow, dag_id, run_id, attempt=2, but=first)
    until(lambda: not _runs(first), seconds=30)
    log = Path(
        places["EVERFIT_HOME"],
        "airflow",
        "logs",
        f"dag_id={dag_id}",
        f"run_id={run_id}",
        "task_id=train",
        "map_index=0",
        "attempt=2.log",
    ).read_text()
    assert f"Ended process group {first}" in log

    path = f"/dags/{dag_id}/dagRuns/{urllib.request.quote(run_id)}"
    airflow.api.call("PATCH", path, {"state": "failed"})
    until(lambda: not _runs(second), seconds=60)


def _component_at_work(airflow, dag_id: str, run_id: str, attempt: int, but: int = 0) -> int:
    """The process of ``train`` in a try, once there is one; not what an earlier try left."""
    found = 0

    def there() -> bool:
        nonlocal found
        assert airflow.api.run_state(dag_id, run_id) in ("queued", "running")
        busy = [
            task
            for task in airflow.api.tasks(dag_id, run_id)
            if (task.task, task.state, task.tries) == ("train", "running", attempt)
        ]
        found = _component_of(run_id) if busy else 0
        return found not in (0, but)

    until(there)
    return found


def _parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _runs(pid: int) -> bool:
    """Whether a process lives; one that nobody has reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _component_of(run_id: str) -> int:
    """The process of a component that works on an order of this run."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"everfit.engine.execute" in command and b"--order" in command:
            order = Path(os.fsdecode(command[command.index(b"--order") + 1]))
            try:
                if json.loads(order.read_bytes())["trigger"]["run_id"] == run_id:
                    return int(entry.name)
            except (OSError, ValueError):
                continue
    return 0
