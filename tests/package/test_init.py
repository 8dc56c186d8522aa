"""An empty folder, the wheel and a table: a repository that trains, with every file of it run."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from everfit.contracts.settings import Settings
from everfit.operations.new_repository.files import FILES
from tests.package.conftest import Environment

ANSWERS = ("--target", "generous = tips > 0.2 * fare")
"""All that a person decides here, besides which data."""


@pytest.fixture(scope="module")
def one(environment: Callable[..., Environment]) -> Environment:
    return environment("airflow", "components")


@pytest.fixture(scope="module")
def begun(
    one: Environment, shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """The folder, and what ``everfit init`` says of it."""
    folder = tmp_path_factory.mktemp("empty")
    data = str(shared_data / "chicago_taxi" / "data.csv")
    done = one.run("everfit", "init", "--data", data, *ANSWERS, "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return folder, answer


def test_a_run_reaches_a_verdict(one: Environment, begun: tuple[Path, dict[str, Any]]) -> None:
    folder, answer = begun
    name = answer["pipeline"]
    done = one.run("everfit", "run", name, "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    ran = json.loads(done.stdout)
    assert ran["verdict"] == "promote"
    assert ran["champion"] == 1


def test_every_file_is_written_and_nothing_is_left_to_fill_in(
    begun: tuple[Path, dict[str, Any]],
) -> None:
    folder, answer = begun
    name = answer["pipeline"]
    own = {f"dags/pipelines/{name}.yaml", f"dags/pipelines/{name}.schema.yaml"}
    assert set(answer["written"]) == own | set(FILES)
    for path in answer["written"]:
        text = (folder / path).read_text()
        assert "{{" not in text
        assert "TODO" not in text
        assert text.endswith("\n")


def test_the_commands_of_its_readme_run(
    one: Environment, begun: tuple[Path, dict[str, Any]]
) -> None:
    folder, _ = begun
    lines = re.findall(r"^\$ (everfit [^#\n]*)", (folder / "README.md").read_text(), re.MULTILINE)
    assert len(lines) > 3
    for line in lines:
        done = one.run(*shlex.split(line), cwd=folder)
        assert done.returncode == 0, (line, done.stderr)


def test_the_steps_of_its_workflows_run(
    one: Environment, begun: tuple[Path, dict[str, Any]]
) -> None:
    folder, _ = begun
    github = yaml.safe_load((folder / ".github" / "workflows" / "pipelines.yml").read_text())
    gitlab = yaml.safe_load((folder / ".gitlab-ci.yml").read_text())
    for steps in (
        [step["run"] for step in github["jobs"]["check"]["steps"] if "run" in step],
        gitlab["check"]["script"],
    ):
        install, check = steps
        (wanted,) = shlex.split(install.removeprefix("pip install "))
        assert Requirement(wanted).name == "everfit"
        assert one.run(*shlex.split(check), cwd=folder).returncode == 0


def test_its_settings_are_settings(one: Environment, begun: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = begun
    files = sorted((folder / "settings").glob("*.env"))
    assert [path.stem for path in files] == ["dev", "prod", "staging"]
    for path in files:
        lines = [line for line in path.read_text().splitlines() if line and line[0] != "#"]
        environ = dict(line.split("=", 1) for line in lines)
        read = Settings.from_environment({"EVERFIT_ROOT": str(folder), **environ})
        plain = Settings.from_environment({"EVERFIT_ROOT": str(folder)})
        if path.stem != "dev":
            assert read.store != plain.store
        assert "password" not in "".join(lines).lower()


def test_its_requirements_name_what_is_installed(
    one: Environment, begun: tuple[Path, dict[str, Any]]
) -> None:
    folder, _ = begun
    lines = (folder / "requirements.txt").read_text().splitlines()
    wanted = [Requirement(line) for line in lines if line and line[0] != "#"]
    names = {requirement.name for requirement in wanted}
    assert {"everfit", "pandas", "scikit-learn", "mlflow"} <= names
    assert all(str(requirement.specifier).startswith("==") for requirement in wanted)


def test_the_same_folder_gives_the_dags(
    one: Environment, begun: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    folder, answer = begun
    code = (
        "from airflow.dag_processing.dagbag import DagBag\n"
        f"bag = DagBag({str(folder / 'dags')!r})\n"
    )
    done = one.run(
        *("python", "-W", "ignore", "-c", code + "print(sorted(bag.dags), bag.import_errors)"),
        cwd=tmp_path,
        AIRFLOW_HOME=str(tmp_path / "airflow"),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__CORE__UNIT_TEST_MODE="True",
    )
    name = answer["pipeline"]
    people = ["everfit.promote", "everfit.reconcile", "everfit.rollback"]
    wanted = sorted([*people, f"{name}.monitor", f"{name}.train"])
    assert done.stdout.splitlines()[-1] == f"{wanted} {{}}", done.stderr


def test_what_is_there_is_left_alone(
    one: Environment, begun: tuple[Path, dict[str, Any]], shared_data: Path
) -> None:
    folder, answer = begun
    data = str(shared_data / "penguins" / "penguins.csv")
    before = {path: (folder / path).read_bytes() for path in answer["written"]}
    again = one.run(*("everfit", "init", "--data", data, "--name", answer["pipeline"]), cwd=folder)
    assert again.returncode == 2
    assert again.stderr.startswith("INIT-EXISTS ")
    second = one.run(
        *("everfit", "init", "--data", data, "--target", "species", "--json"), cwd=folder
    )
    assert second.returncode == 0, second.stderr
    assert set(json.loads(second.stdout)["kept"]) == set(FILES)
    assert before == {path: (folder / path).read_bytes() for path in answer["written"]}
    assert one.run("everfit", "check", cwd=folder).returncode == 0
