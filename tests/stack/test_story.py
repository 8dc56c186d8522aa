"""One stack, as a team lives with it: trains, meets new data, loses parts, and keeps its word.

The tests are one story and run in this order.
"""

from __future__ import annotations

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from everfit_launch.errors import LaunchError
from everfit_launch.rest import AirflowApi
from tests.canary import ProcessList, find
from tests.points import EVERY
from tests.stack.team import REPOSITORY, Team, docker, refused, until

EXAMPLE = "taxi_fare"
ROWS = "2000"
MONTHS = 3


@pytest.fixture(scope="module")
def trained(team: Team) -> str:
    """The example's run: months in the bucket, the training switched on and started by a person."""
    team.cli("example", "--months", str(MONTHS), "--rows", ROWS)
    run_id = team.start(EXAMPLE)
    assert team.ended(EXAMPLE, run_id) == "success", team.why(EXAMPLE, run_id)
    return run_id


def test_up_says_where_everything_is(team: Team) -> None:
    told = team.told
    assert (
        f"http://localhost:{team.ports[0]}" in told and f"http://localhost:{team.ports[1]}" in told
    )
    assert "airflow_admin_password" in told
    for name in team.secrets.iterdir():
        secret = name.read_text().strip()
        assert not secret or secret not in told, f"{name.name} is shown"
    for part in (
        "postgres",
        "redis",
        "s3",
        "mlflow",
        "api-server",
        "scheduler",
        "dag-processor",
        "triggerer",
        "docker-guard",
        "lister",
    ):
        team.healthy(part)
    team.healthy("worker", 2)


def test_pages_want_a_login(team: Team) -> None:
    assert refused(f"http://127.0.0.1:{team.ports[0]}/api/v2/dags") == 401
    assert refused(f"http://127.0.0.1:{team.ports[1]}/api/2.0/mlflow/experiments/search") == 401


def test_secrets_are_in_no_description(team: Team) -> None:
    ours = f"label=com.docker.compose.project={team.name}"
    shown = docker("inspect", *docker("ps", "-aq", "--filter", ours).split())
    for file in team.secrets.iterdir():
        for line in file.read_text().splitlines():
            assert len(line) < 20 or line not in shown, f"{file.name} is in docker inspect"


def test_workers_reach_no_engine_and_no_database(team: Team) -> None:
    worker = team.parts("worker")[0]
    assert "docker.sock" not in json.dumps(worker)
    asked = docker(
        "exec", worker["Id"], "sh", "-c", "ls /run/secrets; env | grep -c SQL_ALCHEMY || true"
    )
    assert asked.split() == ["api_secret_key", "guard_token", "redis_password", "0"]


def test_example_is_champion(team: Team, trained: str) -> None:
    versions = team.versions(EXAMPLE)
    assert [v["version"] for v in versions] == ["1"] and team.champion(EXAMPLE) == "1"
    assert versions[0]["source"].startswith(("mlflow-artifacts:", "models:", "runs:")), versions[0]
    in_store = team.s3().list_objects_v2(Bucket="everfit-store").get("KeyCount", 0)
    in_mlflow = team.s3().list_objects_v2(Bucket="everfit-mlflow").get("KeyCount", 0)
    assert in_store > 10 and in_mlflow > 0


def test_task_logs_are_in_the_store_and_on_the_pages(team: Team, trained: str) -> None:
    found = team.s3().list_objects_v2(Bucket="everfit-logs", Prefix="airflow/").get("Contents", [])
    assert any(f"{EXAMPLE}.train" in item["Key"] and "gate" in item["Key"] for item in found)
    log = team.api.call(
        "GET",
        f"/dags/{EXAMPLE}.train/dagRuns/{trained.replace('+', '%2B')}/taskInstances/gate/logs/1",
    )
    assert "verdict" in json.dumps(log)


def test_both_workers_had_tasks(team: Team, trained: str) -> None:
    path = f"/dags/{EXAMPLE}.train/dagRuns/{trained.replace('+', '%2B')}/taskInstances?limit=100"
    hosts = {
        task["hostname"]
        for task in team.api.call("GET", path)["task_instances"]
        if task["hostname"]
    }
    names = {part["Config"]["Hostname"] for part in team.parts("worker")}
    assert {host.split(".")[0] for host in hosts} == names


def test_nothing_of_it_runs_on(team: Team, trained: str) -> None:
    assert not team.components(EXAMPLE, running=False)


@pytest.mark.thorough
def test_a_laptop_makes_the_same_model(team: Team, trained: str, tmp_path: Path) -> None:
    """The same image with nothing but its defaults: folders, SQLite, one process."""
    image = team.parts("lister")[0]["Image"]
    tmp_path.chmod(0o777)
    for command in (
        ["example", "--months", str(MONTHS), "--rows", ROWS],
        ["run", EXAMPLE],
        ["champion", EXAMPLE, "--json"],
    ):
        told = docker(
            "run",
            "--rm",
            "--network",
            "none",
            "--entrypoint",
            "everfit",
            "--volume",
            f"{tmp_path}:/laptop",
            "--volume",
            f"{team.dags}:/opt/everfit/app/dags:ro",
            "--env",
            "EVERFIT_HOME=/laptop/home",
            "--env",
            "EVERFIT_DATA=/laptop/data",
            "--env",
            "EVERFIT_ROOT=/opt/everfit/app",
            image,
            *command,
        )
    here, there = json.loads(told), json.loads(_json(team.cli("champion", EXAMPLE, "--json")))
    assert here["run_key"] == there["run_key"]
    assert here["model"] == there["model"] and here["model"]


def test_secrets_rotate_in_the_running_stack(team: Team, trained: str) -> None:
    """What trains afterwards, in the tests below, does so with the new ones.

    In CI one secret that the components use and one that people do.
    """
    rotated = ("everfit_database_password", "airflow_admin_password")
    rotated += ("mlflow_admin_password",) if EVERY else ()
    before = {name: team.secret(name) for name in rotated}
    for name in rotated:
        team.script("rotate", name, timeout=900)
        assert team.secret(name) != before[name]
    with pytest.raises(AssertionError, match="password authentication failed"):
        _as_everfit(team, before["everfit_database_password"])
    assert _as_everfit(team, team.secret("everfit_database_password")) == "1"
    del team._api
    assert team.champion(EXAMPLE) == "1"  # MLflow, with the new password
    until(lambda: f"{EXAMPLE}.train" in team.api.dag_ids(), "Airflow, with the new password")
    old = AirflowApi(team.api.address, "admin", before["airflow_admin_password"])
    with pytest.raises(LaunchError):
        old.dag_ids()
    assert json.loads(_json(team.cli("champion", EXAMPLE, "--json")))["version"] == 1


def _as_everfit(team: Team, password: str) -> str:
    postgres = team.parts("postgres")[0]["Id"]
    return docker(
        "exec",
        "--env",
        f"PGPASSWORD={password}",
        postgres,
        "psql",
        "-h",
        "127.0.0.1",
        "-U",
        "everfit",
        "-Atc",
        "select 1",
    ).strip()


@pytest.mark.thorough
def test_a_new_month_trains_by_itself(team: Team, trained: str) -> None:
    """The example, with its quickest family."""
    spec = yaml.safe_load((REPOSITORY / f"dags/pipelines/{EXAMPLE}.yaml").read_text())
    spec["train"] |= {"families": ["linear"], "trials": 1}
    name = "taxi_monthly"
    (team.dags / "pipelines" / f"{name}.yaml").write_text(yaml.safe_dump(spec))
    team.switch_on(f"{name}.monitor", f"{name}.train")
    _trainings(team, name, 1)
    team.cli("example", "--next", "--rows", ROWS)
    _trainings(team, name, 2)
    assert {run["run_type"] for run in team.runs(f"{name}.train")} == {"asset_triggered"}


@pytest.mark.thorough
def test_parts_are_killed_in_mid_run(team: Team, trained: str) -> None:
    """Worker, scheduler and component, each in the midst of somebody's training."""
    with ThreadPoolExecutor(3) as hands:
        stories = {
            "without_worker": hands.submit(_without_worker, team),
            "without_component": hands.submit(_without_component, team),
            "without_scheduler": hands.submit(_without_scheduler, team),
        }
        states = {name: story.result() for name, story in stories.items()}
    assert states == dict.fromkeys(states, "success"), {n: _story(team, n) for n in states}
    for name in states:
        _kept_its_word(team, name)
    team.healthy("worker", 2)
    team.healthy("scheduler")


@pytest.mark.thorough
def test_services_go_away_in_mid_run(team: Team, trained: str) -> None:
    """PostgreSQL restarted, S3 frozen, MLflow stopped; each ends well, or says why."""
    with ThreadPoolExecutor(3) as hands:
        stories = {
            "without_store": hands.submit(_without_store, team),
            "without_registry": hands.submit(_without_registry, team),
        }
        states = {name: story.result() for name, story in stories.items()}
        states["without_database"] = _without_database(team)
    for name, state in states.items():
        if state == "failed":
            lines = [
                line
                for _, _, line in team.why(
                    name, team.runs(f"{name}.train")[0]["dag_run_id"]
                ).values()
            ]
            assert lines and all(re.match(r"[A-Z][A-Z-]+ ", str(line)) for line in lines), lines
            again = team.start(name)
            assert team.ended(name, again) == "success", team.why(name, again)
        _kept_its_word(team, name)


def test_no_secret_is_where_it_must_not_be(team: Team, trained: str) -> None:
    """After all of that: logs, databases, objects, image layers and the process list."""
    canaries = team.canaries()
    with ProcessList(canaries, every=0.25) as watched:
        name = team.pipeline("watched")
        team.arrive(name, range(3))
        run_id = team.start(name)
        assert team.ended(name, run_id) == "success", team.why(name, run_id)
    assert watched.found == set()
    every = [part for service in team.services() for part in team.parts(service)]
    postgres = team.parts("postgres")[0]["Id"]
    found = find(
        canaries,
        commands=[
            *(["docker", "logs", part["Id"]] for part in every),
            *(["docker", "history", "--no-trunc", id] for id in {part["Image"] for part in every}),
            *(["docker", "image", "inspect", id] for id in {part["Image"] for part in every}),
            ["docker", "exec", postgres, "pg_dumpall", "--username", "postgres"],
        ],
        buckets=[(team.s3(), f"everfit-{of}") for of in ("data", "store", "mlflow", "logs")],
    )
    assert not found, [str(one) for one in found]


def test_a_backup_is_restored_into_an_empty_stack(team: Team, trained: str, tmp_path: Path) -> None:
    """The last of the story: everything but the secrets is gone, and comes back."""
    team.script("backup", str(tmp_path), timeout=600)
    history = json.loads(_json(team.cli("history", EXAMPLE, "--json")))
    objects = {
        bucket: {one["Key"] for one in team.s3().list_objects_v2(Bucket=bucket)["Contents"]}
        for bucket in ("everfit-data", "everfit-mlflow")
    }
    team.script("down", "--volumes", "--timeout", "5")
    team.script("restore", str(tmp_path), timeout=900)
    assert json.loads(_json(team.cli("history", EXAMPLE, "--json"))) == history
    for bucket, keys in objects.items():
        found = team.s3().list_objects_v2(Bucket=bucket)["Contents"]
        assert {one["Key"] for one in found} == keys, bucket
    told = team.cli("reproduce", EXAMPLE, "1")
    assert "BIT-IDENTICAL" in told
    postgres = team.parts("postgres")[0]["Id"]
    runs = docker(
        "exec",
        postgres,
        "psql",
        "-U",
        "postgres",
        "-d",
        "airflow",
        "-Atc",
        f"select count(*) from dag_run where dag_id = '{EXAMPLE}.train'",
    )
    assert int(runs) >= 1


def _ready(team: Team, name: str) -> str:
    """A quick pipeline with three spans, and a training of it under way."""
    team.pipeline(name)
    team.arrive(name, range(3))
    return team.start(name)


def _without_worker(team: Team) -> str:
    run_id = _ready(team, "without_worker")
    team.at_work("without_worker", "train")
    task = next(t for t in team.instances("without_worker", run_id) if t["task_id"] == "train")
    host = task["hostname"].split(".")[0]
    team.crash(next(p for p in team.parts("worker") if p["Config"]["Hostname"] == host))
    return team.ended("without_worker", run_id)


def _without_component(team: Team) -> str:
    run_id = _ready(team, "without_component")
    docker("kill", "--signal", "KILL", team.at_work("without_component", "train")["id"])
    return team.ended("without_component", run_id)


def _without_scheduler(team: Team) -> str:
    run_id = _ready(team, "without_scheduler")
    team.at_work("without_scheduler", "train")
    team.crash(team.parts("scheduler")[0])
    return team.ended("without_scheduler", run_id)


def _without_store(team: Team) -> str:
    run_id = _ready(team, "without_store")
    team.at_work("without_store", "train")
    store = team.parts("s3")[0]["Id"]
    docker("pause", store)
    time.sleep(20)
    docker("unpause", store)
    return team.ended("without_store", run_id)


def _without_registry(team: Team) -> str:
    run_id = _ready(team, "without_registry")
    team.at_work("without_registry", "evaluate")
    registry = team.parts("mlflow")[0]["Id"]
    docker("stop", "--time", "1", registry)
    team.at_work("without_registry", "register")
    time.sleep(15)
    docker("start", registry)
    team.healthy("mlflow")
    return team.ended("without_registry", run_id)


def _without_database(team: Team) -> str:
    run_id = _ready(team, "without_database")
    team.at_work("without_database", "train")
    team.crash(team.parts("postgres")[0])
    state = team.ended("without_database", run_id)
    team.healthy("postgres")
    return state


def _kept_its_word(team: Team, name: str) -> None:
    """One decision, one version, one champion; nothing running."""
    versions = until(lambda: team.versions(name), f"a version of {name}")
    assert [v["version"] for v in versions] == ["1"], versions
    assert team.champion(name) == "1"
    journal: list[dict[str, Any]] = json.loads(_json(team.cli("history", name, "--json")))
    assert [entry["version"] for entry in journal] == [1], journal
    until(lambda: not team.components(name, running=False), f"nothing of {name} left", 60)


def _story(team: Team, name: str) -> Any:
    return [(r["state"], team.why(name, r["dag_run_id"])) for r in team.runs(f"{name}.train")]


def _trainings(team: Team, name: str, count: int) -> None:
    """Wait until so many runs have trained and been judged, whatever the verdict, and none more."""

    def judged() -> bool:
        runs = team.runs(f"{name}.train")
        if any(run["state"] in ("queued", "running") for run in runs):
            return False
        tasks = [team.instances(name, run["dag_run_id"]) for run in runs]
        done = [all(t["state"] == "success" for t in one) for one in tasks]
        return sum(done) == count

    until(judged, f"training {count} of {name}")
    assert team.champion(name) == team.versions(name)[-1]["version"]


def _json(text: str) -> str:
    """What follows the words of compose itself."""
    return text[min(i for i in (text.find("{"), text.find("[")) if i >= 0) :]
