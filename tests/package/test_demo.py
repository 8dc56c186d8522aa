"""The demo from the wheel, in an empty folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.package.conftest import REPOSITORY, Environment

ROWS = "1500"


@pytest.fixture(scope="module")
def one(environment: Callable[..., Environment]) -> Environment:
    return environment("airflow", "components")


@pytest.fixture
def folder(one: Environment, tmp_path: Path) -> Path:
    """A folder in which the months of the demo are there, and smaller than it writes them."""
    demo = tmp_path / "everfit-demo"
    demo.mkdir()
    assert one.run("everfit", "example", "--rows", ROWS, cwd=demo).returncode == 0
    return tmp_path


def test_the_example_is_trained_in_its_folder_and_nowhere_else(
    one: Environment, folder: Path
) -> None:
    places = {
        "EVERFIT_LEDGER": f"sqlite:///{folder / 'teams' / 'ledger.db'}",
        "EVERFIT_STORE": (folder / "teams" / "store").as_uri(),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'teams' / 'mlflow.db'}",
    }
    done = one.run("everfit", "demo", "--without-airflow", cwd=folder, **places)
    assert done.returncode == 0, done
    assert "✓ dags/pipelines/taxi_fare.yaml" in done.stdout
    assert "taxi_fare v1  (alias @champion)" in done.stdout
    assert "Next: cd everfit-demo && everfit status" in done.stdout
    assert "training" in done.stderr
    assert [path.name for path in folder.iterdir()] == ["everfit-demo"]
    again = one.run("everfit", "demo", "--json", cwd=folder)
    assert again.returncode == 0, again
    assert list(json.loads(again.stdout)) == ["nothing_to_do"]


def test_where_airflow_is_its_launcher_takes_over(one: Environment, folder: Path) -> None:
    done = one.run("everfit", "demo", cwd=folder, EVERFIT_MLFLOW_PORT="none")
    assert done.returncode == 1
    assert "Everfit: taxi_fare through Airflow's own scheduler" in done.stdout
    assert "PORT EVERFIT_MLFLOW_PORT: a port is a number" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_its_pipeline_is_that_of_the_checkout(one: Environment, folder: Path) -> None:
    one.run("everfit", "demo", cwd=folder, EVERFIT_MLFLOW_PORT="none")
    spec = "dags/pipelines/taxi_fare.yaml"
    assert (folder / "everfit-demo" / spec).read_text() == (REPOSITORY / spec).read_text()
