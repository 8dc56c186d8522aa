"""Worlds to run whole chains in."""

from __future__ import annotations

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
    """The same, with ``{data}`` pointing at the real tables."""
    with open_context(settings.model_copy(update={"data": shared_data})) as context:
        yield World(context)
