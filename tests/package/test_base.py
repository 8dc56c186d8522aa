"""The package without any extra: it checks specs, and says which part the rest needs."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from everfit.cli.command import load, names
from everfit.cli.parser import parser_of
from everfit.contracts.messages.steps import Order
from everfit.contracts.spec.load import load_spec
from everfit.contracts.version import VERSION
from tests.package.conftest import REPOSITORY, Environment

SPECS = REPOSITORY / "dags" / "pipelines"


@pytest.fixture(scope="module")
def base(environment: Callable[..., Environment]) -> Environment:
    return environment()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(SPECS, tmp_path / "dags" / "pipelines")
    return tmp_path


def test_it_says_its_version_and_its_commands(base: Environment, tmp_path: Path) -> None:
    assert base.run("everfit", "--version", cwd=tmp_path).stdout == f"everfit {VERSION}\n"
    done = base.run("everfit", cwd=tmp_path)
    assert done.returncode == 0
    assert all(f"  {name}" in done.stdout for name in names())


def test_it_checks_specs_and_says_that_the_source_was_not_looked_at(
    base: Environment, folder: Path
) -> None:
    done = base.run("everfit", "check", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert "its source was not checked: that needs pip install 'everfit[components]'" in done.stdout
    assert base.run("everfit", "check", "--spec-only", cwd=folder).stdout == "✓ taxi_fare\n"


def test_it_names_every_mistake_of_a_spec(base: Environment, folder: Path) -> None:
    (folder / "dags" / "pipelines" / "broken.yaml").write_text("task: regresion\ntarget: x\n")
    done = base.run("everfit", "check", "broken", cwd=folder)
    assert done.returncode == 2
    fields = [line.split()[2] for line in done.stderr.splitlines()]
    assert fields == ["task:", "source:", "gate:"]


def called(name: str) -> list[str]:
    """A command with as much as it must be given."""
    words = [name]
    for action in parser_of(name, load(name))._actions:
        if action.option_strings and action.required:
            words += [action.option_strings[-1], "x"]
        elif not action.option_strings and action.nargs not in ("*", "?", argparse.OPTIONAL):
            words.append(next(iter(action.choices)) if action.choices else "taxi_fare")
    return words


@pytest.mark.parametrize("name", names())
def test_no_command_is_a_defect_without_the_other_parts(
    base: Environment, folder: Path, name: str
) -> None:
    done = base.run("everfit", *called(name), cwd=folder)
    assert "INTERNAL" not in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 2), done
    if "MISSING-EXTRA" in done.stderr:
        assert len(done.stderr.splitlines()) == 1
        assert "pip install 'everfit[" in done.stderr


@pytest.mark.parametrize("name", ["run", "status", "plan", "monitor", "history", "example"])
def test_what_needs_the_components_says_so_in_one_line(
    base: Environment, folder: Path, name: str
) -> None:
    done = base.run("everfit", *called(name), cwd=folder)
    assert done.returncode == 2
    assert done.stderr.startswith("MISSING-EXTRA everfit[components]: this needs a part of Everfit")
    assert done.stderr.endswith("Run pip install 'everfit[components]'.\n")


def test_the_doctor_says_what_is_missing_and_how_to_get_it(base: Environment, folder: Path) -> None:
    done = base.run("everfit", "doctor", cwd=folder)
    assert (done.returncode, done.stderr) == (2, "")
    lines = done.stdout.splitlines()
    states = {line.split()[2]: line.split()[1] for line in lines if line[:1] in ("✓", "!", "✗")}
    assert states["Python"] == states["pipelines"] == states["disk"] == "ok"
    assert states["parts"] == states["Airflow"] == "warning"
    assert states["components"] == "fails"
    assert lines.count("    → Run pip install 'everfit[components]'") >= 1
    assert "1 spec, all sound: taxi_fare" in done.stdout


def test_a_component_without_its_libraries_ends_in_the_same_line(
    base: Environment, folder: Path
) -> None:
    order = Order(component="plan", pipeline=load_spec(SPECS / "taxi_fare.yaml"))
    (folder / "order.json").write_text(order.model_dump_json())
    done = base.run(
        "python",
        *("-m", "everfit.engine.execute", "--order", "order.json", "--outcome", "outcome.json"),
        cwd=folder,
    )
    assert done.returncode == 2
    assert "MISSING-EXTRA everfit[components]" in done.stderr
    assert "Traceback" not in done.stderr
