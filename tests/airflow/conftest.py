"""A real Airflow with the real components on small real data, started once for all tests."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
for folder in (REPOSITORY, REPOSITORY / "plugins"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

MONTHS = ("2018-01.csv", "2018-02.csv", "2018-03.csv")
ROWS = 2000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of these need the Airflow environment."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.airflow)
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> dict[str, str]:
    """The settings of a private world: home, data and pipelines."""
    world = tmp_path_factory.mktemp("airflow-world")
    pipelines, data = world / "pipelines", world / "data"
    pipelines.mkdir()
    (data / "nyc_yellow").mkdir(parents=True)
    for month in MONTHS:
        lines = (shared_data / "nyc_yellow" / month).read_text().splitlines(keepends=True)
        (data / "nyc_yellow" / month).write_text("".join(lines[: ROWS + 1]))
    for name in ("chicago_taxi", "penguins"):
        shutil.copytree(shared_data / name, data / name)
    specs = REPOSITORY / "tests" / "specs"
    shutil.copy(REPOSITORY / "dags" / "pipelines" / "taxi_fare.yaml", pipelines)
    shutil.copy(specs / "chicago_tips.yaml", pipelines)
    shutil.copy(specs / "penguins.yaml", pipelines)
    (pipelines / "broken.yaml").write_text("task: regression\n")
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("EVERFIT_")},
        "EVERFIT_ROOT": str(REPOSITORY),
        "EVERFIT_HOME": str(world / "home"),
        "EVERFIT_DATA": str(data),
        "EVERFIT_PIPELINES": str(pipelines),
        "EVERFIT_MLFLOW_PAGE": "http://localhost:1",
        "EVERFIT_AIRFLOW_PORT": "0",
        "EVERFIT_SWEEP": "1",
        "EVERFIT_POLL": "1",
    }


@pytest.fixture(scope="session")
def airflow(places: dict[str, str]) -> Iterator[object]:
    """Airflow at work, stopped without a trace at the end."""
    from everfit.contracts.settings import Settings
    from everfit_launch.airflow_here import AirflowHere

    here = AirflowHere(Settings.from_environment(places), places, parse_every=5)
    with here:
        yield here


@pytest.fixture(scope="session")
def stand(tmp_path_factory: pytest.TempPathFactory, postgresql_url: str) -> Iterator[object]:
    """Airflow as on a server: two schedulers, PostgreSQL for its own records and for the ledger."""
    from tests.airflow.stand import Stand
    from tests.services import new_database

    made = Stand(
        tmp_path_factory.mktemp("stand"), new_database(postgresql_url), new_database(postgresql_url)
    )
    try:
        made.start()
        yield made
    finally:
        made.stop()
