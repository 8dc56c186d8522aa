"""Worlds to run whole chains in."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline_components.context import Context, open_context
from pipeline_components.contracts.settings import Settings
from tests.world import World


@pytest.fixture
def world(context: Context) -> World:
    return World(context)


@pytest.fixture
def real_world(settings: Settings, shared_data: Path) -> Iterator[World]:
    """The same, with the real tables in ``{data}``: four of the months, and the others whole."""
    months = settings.data / "nyc_yellow"
    months.mkdir()
    for path in sorted((shared_data / "nyc_yellow").glob("*.csv"))[:4]:
        shutil.copy(path, months)
    for name in ("chicago_taxi", "penguins"):
        shutil.copytree(shared_data / name, settings.data / name)
    with open_context(settings) as context:
        yield World(context)
