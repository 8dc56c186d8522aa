"""A real Airflow with the docker runner: what becomes of a container whose task is killed."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.docker.conftest import BASE, REPOSITORY, build
from tests.docker.shell import until

SPEC = """
task: regression
target: fare
source: {uri: "{data}/*.csv"}
window: {spans: 3}
gate: {superior_by: 1%, baseline: median}
"""

ENDLESS = f"""
FROM {BASE}
ENTRYPOINT ["/bin/sh", "-c", "echo the component is up; sleep 3600"]
"""


@pytest.fixture
def airflow(engine):
    """Airflow whose components are containers that never come to an end."""
    from everfit.contracts.settings import Settings
    from everfit_launch.airflow_here import AirflowHere

    image = "everfit-test-endless:1"
    build(engine, image, ENDLESS)
    with tempfile.TemporaryDirectory(prefix="everfit-airflow-docker-") as folder:
        world = Path(folder)
        (world / "pipelines").mkdir()
        (world / "pipelines" / "fares.yaml").write_text(SPEC)
        (world / "runners.yaml").write_text(
            f"default: {{runner: docker, image: '{image}', pull: never, memory: 64Mi, cpu: 1}}\n"
        )
        places = {
            **{name: value for name, value in os.environ.items() if "AIRFLOW" not in name},
            "EVERFIT_ROOT": str(REPOSITORY),
            "EVERFIT_HOME": str(world / "home"),
            "EVERFIT_DATA": str(world),
            "EVERFIT_PIPELINES": str(world / "pipelines"),
            "EVERFIT_RUNNERS": str(world / "runners.yaml"),
            "EVERFIT_STORE": "s3://nothing-is-asked-of-it",
            "EVERFIT_LEDGER": "postgresql+psycopg://nothing/asked",
            "EVERFIT_MLFLOW": "http://nothing.asked:5000",
            "EVERFIT_MLFLOW_PAGE": "http://localhost:1",
            "EVERFIT_AIRFLOW_PORT": "0",
        }
        with AirflowHere(Settings.from_environment(places), places, parse_every=5) as here:
            yield here, Path(places["EVERFIT_HOME"], "airflow", "logs")


@pytest.mark.slow
def test_a_killed_task_is_taken_over_and_one_marked_failed_leaves_nothing(engine, airflow):
    here, logs = airflow
    dag_id = "fares.train"
    here.wait_for_dag(dag_id)
    here.api.pause(dag_id, False)
    run_id = here.api.trigger(dag_id)
    run = f"/dags/{dag_id}/dagRuns/{quote(run_id)}"

    def containers() -> list[str]:
        wanted = {"label": [f"io.everfit.run={run_id}", "io.everfit.component=plan"]}
        found = engine.containers.list(ignore_removed=True, filters=wanted, all=True)
        return [one.id for one in found]

    def told(attempt: int, line: str) -> bool:
        folder = logs / f"dag_id={dag_id}" / f"run_id={run_id}" / "task_id=plan"
        log = folder / f"attempt={attempt}.log"
        return log.exists() and line in log.read_text()

    until(lambda: told(1, "the component is up"), seconds=300)
    (container,) = containers()
    (plan,) = (
        task
        for task in here.api.call("GET", f"{run}/taskInstances")["task_instances"]
        if task["task_id"] == "plan"
    )
    os.kill(process_of(plan["id"]), signal.SIGKILL)
    until(lambda: told(2, "Took over container"), seconds=300)
    until(lambda: told(2, "the component is up"))
    assert containers() == [container]

    here.api.call("PATCH", run, {"state": "failed"})
    until(lambda: not containers(), seconds=120)


def process_of(task_instance: str) -> int:
    """The process in which Airflow runs a task."""
    title = f"airflow worker -- {task_instance}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cmdline").read_bytes().startswith(title):
                return int(entry.name)
        except OSError:
            continue
    raise AssertionError(f"no process works on {task_instance}")
