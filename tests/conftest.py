"""Fixtures every layer shares: real data, a private home, a context."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services import (  # noqa: F401 (fixtures)
    bucket,
    postgresql_database,
    postgresql_server,
    postgresql_url,
    s3_endpoint,
    s3_environment,
)

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Further cases of what a faster test shows run on request."""
    if os.environ.get("EVERFIT_PROOF") == "all":
        return
    further = [item for item in items if item.get_closest_marker("thorough")]
    config.hook.pytest_deselected(items=further)
    items[:] = [item for item in items if item not in further]


@pytest.fixture(autouse=True)
def loud_again() -> Iterator[None]:
    """The command line quietens our logs in its process, and here that is the tests' own."""
    logger = logging.getLogger("everfit")
    level = logger.level
    yield
    logger.setLevel(level)


@pytest.fixture(autouse=True)
def lines_of_any_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line wraps at ``COLUMNS``, which pytest's workers are given."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real tables, beside the checkout or where ``EVERFIT_SHARED_DATA`` says."""
    folder = Path(os.environ.get("EVERFIT_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "nyc_yellow").is_dir():
        pytest.skip(f"no real tables: {folder} is absent; set EVERFIT_SHARED_DATA")
    return folder


@pytest.fixture
def settings(tmp_path: Path):
    """Settings whose home, data and pipelines are private to the test."""
    from everfit.contracts.settings import Settings

    (tmp_path / "dags" / "pipelines").mkdir(parents=True)
    (tmp_path / "data").mkdir()
    return Settings.from_environment({"EVERFIT_ROOT": str(tmp_path)})


@pytest.fixture
def context(settings) -> Iterator[object]:
    """A context on a folder store and an SQLite ledger."""
    from everfit.engine.context import open_context

    with open_context(settings) as opened:
        yield opened
