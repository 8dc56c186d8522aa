"""A real DAG processor reads what was deployed, and each DAG's version is the deployment's."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
EVERFIT = REPOSITORY / ".venv" / "bin" / "everfit"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    bundles = [
        {
            "name": "deployed",
            "classpath": "everfit_airflow.dags.deployed_dags.DeployedDags",
            "kwargs": {"url": (tmp_path / "to").as_uri()},
        }
    ]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EVERFIT_")}
    return kept | {
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        # Airflow leaves what it knows of an unchanged DAG alone for 30 s.
        "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path / 'airflow.db'}",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(tmp_path / "bundles"),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
        "PYTHONPATH": f"{REPOSITORY / 'plugins'}:{REPOSITORY / 'pipeline_components'}",
    }


def deploy(tmp_path: Path, environment: dict[str, str], *, adds: str = "") -> str:
    """Deploy the repository's DAGs, with a second pipeline where one is named."""
    pipelines = tmp_path / "checkout" / "dags" / "pipelines"
    pipelines.mkdir(parents=True, exist_ok=True)
    for path in (REPOSITORY / "dags").glob("*.py"):
        (pipelines.parent / path.name).write_bytes(path.read_bytes())
    text = (REPOSITORY / "dags" / "pipelines" / "taxi_fare.yaml").read_text()
    for name in ("taxi_fare", adds):
        if name:
            (pipelines / f"{name}.yaml").write_text(text)
    env = environment | {"EVERFIT_ROOT": str(tmp_path / "checkout")}
    to, bundle = (tmp_path / "to").as_uri(), str(tmp_path / "bundle")
    subprocess.run([EVERFIT, "bundle", "--to", bundle], env=env, check=True)
    subprocess.run(
        [EVERFIT, "deploy", "--to", to, "--bundle", bundle, "--apply"], env=env, check=True
    )
    return str(json.loads((tmp_path / "bundle" / "bundle.json").read_text())["version"])


def process(tmp_path: Path, environment: dict[str, str]) -> dict[str, str]:
    """Parse once; DAG → version of the bundle."""
    done = subprocess.run(
        [Path(sys.executable).with_name("airflow"), "dag-processor", "--num-runs", "1"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    with sqlite3.connect(tmp_path / "airflow.db") as database:
        assert database.execute("select * from import_error").fetchall() == []
        return dict(database.execute("select dag_id, bundle_version from dag where not is_stale"))


def test_a_deployment_is_read_and_the_next_takes_its_place(tmp_path, environment) -> None:
    subprocess.run(
        [Path(sys.executable).with_name("airflow"), "db", "migrate"],
        env=environment,
        check=True,
        capture_output=True,
    )
    first = deploy(tmp_path, environment)
    found = process(tmp_path, environment)
    assert {"taxi_fare.train", "taxi_fare.monitor"} <= set(found)
    assert set(found.values()) == {first}

    second = deploy(tmp_path, environment, adds="taxi_tips")
    assert second != first
    found = process(tmp_path, environment)
    assert found["taxi_tips.train"] == second
    assert found["taxi_fare.train"] == second
    with sqlite3.connect(tmp_path / "airflow.db") as database:
        kept = database.execute(
            "select distinct bundle_version from dag_version where dag_id = 'taxi_fare.train'"
        ).fetchall()
    assert (second,) in kept
