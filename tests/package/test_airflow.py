"""The package in an Airflow: the plugin by its entry point, the DAGs by two lines."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.package.conftest import PACKAGES, REPOSITORY, Environment

TEMPLATE = PACKAGES["everfit"] / "operations" / "new_repository" / "templates" / "dags.py.j2"
LOOK = """
import json, os, sys
from pathlib import Path
from airflow.dag_processing.dagbag import DagBag
from airflow import plugins_manager
from everfit_airflow.runners.interpreter import component_python
from everfit_airflow.settings_here import settings_here
bag = DagBag("dags")
plugins, _ = plugins_manager._get_plugins()
print(json.dumps({
    "dags": sorted(bag.dags),
    "errors": bag.import_errors,
    "plugins": {str(plugin.name): str(plugin.source) for plugin in plugins},
    "python": str(component_python(Path.cwd(), os.environ)),
    "root": str(settings_here().root),
}))
"""


@pytest.fixture(scope="module")
def one(environment: Callable[..., Environment]) -> Environment:
    """Airflow and the components in one environment."""
    return environment("airflow", "components")


def test_the_dags_the_plugin_and_the_components_are_found(one: Environment, tmp_path: Path) -> None:
    repository, elsewhere = tmp_path / "repository", tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copytree(REPOSITORY / "dags" / "pipelines", repository / "dags" / "pipelines")
    (repository / "dags" / "all_pipelines.py").write_text(TEMPLATE.read_text())
    done = one.run(
        *("python", "-W", "ignore", "-c", LOOK.replace('"dags")', f'"{repository}/dags")', 1)),
        cwd=elsewhere,
        AIRFLOW_HOME=str(tmp_path / "airflow"),
        AIRFLOW__CORE__DAGS_FOLDER=str(repository / "dags"),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__CORE__UNIT_TEST_MODE="True",
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["errors"] == {}
    assert found["dags"] == [
        *("everfit.promote", "everfit.reconcile", "everfit.rollback"),
        *("taxi_fare.monitor", "taxi_fare.train"),
    ]
    assert "everfit" in found["plugins"]
    assert "everfit" in found["plugins"]["everfit"]
    assert len(TEMPLATE.read_text().splitlines()) == 2
    assert found["python"] == one.program("python")
    assert found["root"] == str(repository)


def told_of_airflow(one: Environment, folder: Path, **environ: str) -> dict[str, str]:
    done = one.run("everfit", "doctor", "--json", cwd=folder, **environ)
    assert done.returncode == 0, done
    (airflow,) = (c for c in json.loads(done.stdout)["checks"] if c["check"] == "Airflow")
    return airflow


def test_the_doctor_finds_the_plugin_by_its_entry_point_though_it_is_in_the_folder_too(
    one: Environment, tmp_path: Path
) -> None:
    shutil.copytree(REPOSITORY / "dags" / "pipelines", tmp_path / "dags" / "pipelines")
    home = tmp_path / "home"
    by_entry = told_of_airflow(one, tmp_path, HOME=str(home))
    assert (by_entry["state"], by_entry["todo"]) == ("ok", None)
    assert "the plugin is found by its entry point" in by_entry["found"]
    assert not (home / "airflow").exists()
    shutil.copytree(PACKAGES["everfit_airflow"].parent, tmp_path / "plugins")
    by_both = told_of_airflow(one, tmp_path, HOME=str(home))
    assert "the plugin is found by its entry point" in by_both["found"]
