"""The stack, up once for all of its tests: real images, a real engine, two workers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
for folder in (REPOSITORY, REPOSITORY / "plugins"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

WORKERS = 2


def pytest_configure(config: pytest.Config) -> None:
    """Airflow's and botocore's own use of what is deprecated is not ours to fix."""
    for module in ("airflow", "botocore", "pathspec", "starlette", "fastapi", "jwt", "sqlalchemy"):
        config.addinivalue_line("filterwarnings", f"ignore::DeprecationWarning:{module}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of these need the Airflow environment and an engine."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.airflow)
            item.add_marker(pytest.mark.slow)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what was not the real thing."""
    from tests.stack.stand_ins import TOLD

    for line in TOLD:
        terminalreporter.write_line(f"stand-in: {line}")


@pytest.fixture(scope="session")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """A stack that is up and healthy; gone afterwards, with its volumes."""
    from tests.stack.team import Team

    stack = Team(tmp_path_factory.mktemp("stack"))
    try:
        stack.told = stack.up(WORKERS)
        yield stack
    finally:
        stack.down()
