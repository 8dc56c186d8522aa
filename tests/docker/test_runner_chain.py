"""Docker on one machine, as docs/how-to/docker.md tells it: the whole chain on a mounted folder."""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.execution_time.context import OutletEventAccessors

from everfit.contracts.messages.chain import ChainTask, training_tasks
from everfit.contracts.spec.load import load_spec
from everfit_airflow.operators.operator import ComponentOperator
from tests.docker.images import name_of
from tests.docker.shell import containers

SPEC = """
task: regression
target: fare
source: {uri: "{data}/*.csv"}
window: {spans: 3}
train: {families: [linear, extra_trees], trials: 2, folds: 2, threads: 2}
gate: {superior_by: 1%, baseline: median}
"""

RUNNERS = """
default:
  runner: docker
  image: IMAGE
  pull: never
  memory: 2Gi
  environment: {EVERFIT_HOME: FOLDER/home}
  mounts:
    - {source: FOLDER/home, target: FOLDER/home, read_only: false}
    - {source: FOLDER/data, target: FOLDER/data}
"""


@pytest.fixture
def folder(engine, monkeypatch):
    """A checkout with data, which containers see at the place where it is."""
    made = Path(tempfile.mkdtemp(prefix="everfit-docker-"))
    for path in (made, made / "home", made / "data", made / "dags" / "pipelines"):
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o777)
    (made / "dags" / "pipelines" / "fares.yaml").write_text(SPEC)
    for month in range(1, 5):
        draw = random.Random(month)
        rows = []
        for i in range(400):
            km = draw.uniform(1, 20)
            fare = 2.5 + 1.8 * km + draw.gauss(0, 1)
            rows.append(f"2026-{month:02}-{1 + i % 28:02}T10:00:00,{km:.2f},{fare:.2f}")
        (made / "data" / f"2026-{month:02}.csv").write_text("at,km,fare\n" + "\n".join(rows) + "\n")
    runners = made / "runners.yaml"
    image = engine.images.get(name_of("components")).id  # the same, whatever is built meanwhile
    runners.write_text(RUNNERS.replace("FOLDER", str(made)).replace("IMAGE", image))
    monkeypatch.setenv("EVERFIT_RUNNERS", str(runners))
    monkeypatch.setenv("EVERFIT_DATA", str(made / "data"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


class Ti:
    """A task instance of one run."""

    map_index = -1

    def __init__(self, run_id: str, task_id: str, done: dict[str, list[Any]]) -> None:
        self.dag_id, self.run_id, self.task_id, self._done = "fares", run_id, task_id, done

    def xcom_pull(self, task_ids: list[str]) -> list[Any]:
        return [value for name in task_ids for value in self._done.get(name, [])]

    def xcom_push(self, key: str, value: Any) -> None:
        """Nobody asks for it."""


@pytest.mark.slow
def test_the_chain_on_a_mounted_folder(engine, run_id, folder):
    done: dict[str, list[Any]] = {}
    spec_file = str(folder / "dags" / "pipelines" / "fares.yaml")

    def run(task: ChainTask) -> dict[str, Any]:
        task_id = task.name.replace(" ", "_")
        operator = ComponentOperator(
            task_id=task_id,
            component=task.component,
            spec_file=spec_file,
            family=task.family,
            reads=task.upstream,
        )
        return operator.execute(
            {
                "params": {"window": None, "force": False, "reason": None},
                "ti": Ti(run_id, task_id, done),
                "dag_run": SimpleNamespace(run_type="manual", run_id=run_id),
                "triggering_asset_events": {},
                "outlet_events": OutletEventAccessors(),
                "task_state_store": None,
            }  # type: ignore[arg-type]
        )

    tasks = list(training_tasks(load_spec(Path(spec_file))))
    for each in tasks:
        done.setdefault(each.component, []).append(run(each))
    assert len(done["train"]) == 2
    assert done["gate"][0]["summary"]["verdict"] == "promote"
    assert done["register"][0]["summary"]["version"] == 1
    assert containers(engine, run_id) == []
    assert (folder / "home" / "ledger.db").is_file()
    (prepare,) = (task for task in tasks if task.component == "prepare")
    again = run(prepare)
    assert (again["cached"], again["result"]) == (True, done["prepare"][0]["result"])
