"""Airflow for tests of DAG files and plugins: a private home, no database, nothing running.

Airflow reads its settings when it is first imported, so they are set before any test module is.
"""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
HOME = tempfile.mkdtemp(prefix="everfit-airflow-test-")

os.environ.update(
    AIRFLOW_HOME=HOME,
    AIRFLOW__CORE__DAGS_FOLDER=str(REPOSITORY / "dags"),
    AIRFLOW__CORE__PLUGINS_FOLDER=str(REPOSITORY / "plugins"),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__UNIT_TEST_MODE="True",
)
for folder in (REPOSITORY, REPOSITORY / "plugins"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def pytest_configure(config: pytest.Config) -> None:
    """Airflow's own use of what is deprecated is not ours to fix."""
    for module in ("airflow", "pathspec", "starlette", "fastapi", "jwt", "sqlalchemy"):
        config.addinivalue_line("filterwarnings", f"ignore::DeprecationWarning:{module}")
    for message in ("GitWildMatchPattern", "Using `httpx` with"):
        config.addinivalue_line("filterwarnings", f"ignore:{message}")


SPEC = """
task: regression
target: fare
source: {uri: "{data}/*.csv"}
window: {spans: 3}
train: {families: [linear, extra_trees]}
gate: {superior_by: 1%, baseline: median, limits: {mae: {max: 5}}}
triggers: {schedule: "0 3 * * 1", timezone: Europe/Berlin}
tags: [taxi]
owner: pricing
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of specs with one good pipeline, ``fares``."""
    pipelines = tmp_path / "dags" / "pipelines"
    pipelines.mkdir(parents=True)
    (pipelines / "fares.yaml").write_text(SPEC)
    monkeypatch.setenv("EVERFIT_ROOT", str(tmp_path))
    monkeypatch.setenv("EVERFIT_PIPELINES", str(pipelines))
    return pipelines


@pytest.fixture
def component(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Gives a function that makes the components' Python a script of one's own."""

    def make(body: str) -> Path:
        path = tmp_path / "python"
        path.write_text(
            "#!/bin/bash\n"
            'while [ $# -gt 0 ]; do case "$1" in --order) order=$2;; --outcome) outcome=$2;; '
            "esac; shift; done\n" + body
        )
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("EVERFIT_PYTHON", str(path))
        return path

    return make
