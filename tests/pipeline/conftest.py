"""Worlds to run whole chains in."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from everfit.cli import main
from everfit.contracts.settings import Settings
from everfit.engine.context import Context, open_context
from tests.world import World, new_checkout


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


@pytest.fixture(scope="session")
def lived(tmp_path_factory) -> Path:
    """A checkout whose pipeline has lived a while; each test takes a copy."""
    root = tmp_path_factory.mktemp("lived")
    with open_context(new_checkout(root)) as context:
        world = World(context)
        world.spec["features"] = {
            "drop": [*world.spec["features"]["drop"], "trip_distance"],
            "derive": {},
        }
        world.months(3)
        world.run()
        world.spec["features"]["drop"].remove("trip_distance")
        world.months(4)
        world.run()
        world.spec["train"]["seed"] = 1
        world.months(5)
        world.run()
        verdicts = [context.ledger.verdict(r.run_key).verdict for r in context.ledger.runs("quick")]
        assert verdicts == ["hold", "promote", "promote"]
    return root


@pytest.fixture
def checkout(lived: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "checkout"
    shutil.copytree(lived, root)
    monkeypatch.setenv("EVERFIT_ROOT", str(root))
    for name in ("EVERFIT_HOME", "EVERFIT_DATA", "EVERFIT_MLFLOW", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return root


@pytest.fixture
def everfit(checkout: Path, capsys) -> Callable[..., tuple[int, str, str]]:
    """Run a command: exit code, standard output, standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(list(arguments))
        shown = capsys.readouterr()
        assert "Traceback" not in shown.err
        return code, shown.out, shown.err

    return run
