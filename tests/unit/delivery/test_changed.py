"""Which pipelines a change concerns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from everfit.cli import main
from everfit.cli.command import load
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.operations.delivery.changed import pipelines_of, spec_at
from tests.json_shapes import mismatch

SPEC = {
    "task": "regression",
    "target": "fare",
    "source": {"uri": "{data}/*.csv"},
    "gate": {"superior_by": "1%", "baseline": "median"},
}


def spec(name: str, check: str = "", estimator: str = "") -> PipelineSpec:
    gate = {**SPEC["gate"], "checks": [check] if check else []}
    train = {"families": [{"name": "own", "estimator": estimator}]} if estimator else {}
    return PipelineSpec.model_validate({**SPEC, "name": name, "gate": gate, "train": train})


SPECS = {
    "fares": spec("fares"),
    "tips": spec("tips", check="acme.checks.no_negative_tips"),
    "tolls": spec("tolls", estimator="acme.models.wide.Wide"),
    "broken": None,
}


@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("dags/pipelines/fares.yaml", ["fares"]),
        ("dags/pipelines/fares.schema.yaml", ["fares"]),
        ("dags/pipelines/broken.yaml", ["broken"]),
        ("dags/pipelines/gone.yaml", []),
        ("dags/pipelines/old/fares.yaml", []),
        ("dags/everfit_pipelines.py", []),
        ("docs/reference/spec.md", []),
        ("tests/unit/test_x.py", []),
        ("acme/checks.py", ["tips"]),
        ("src/acme/checks.py", ["tips"]),
        ("acme/checks/bounds.py", ["tips"]),
        ("other_acme/checks.py", []),
        ("acme/checks.md", []),
        ("acme/models/wide.py", ["tolls"]),
        ("pipeline_components/everfit/steps/train/fit.py", list(SPECS)),
        ("pipeline_components/Dockerfile", []),
        ("requirements/components.txt", list(SPECS)),
        ("requirements/airflow.txt", []),
    ],
)
def test_a_file_concerns_the_pipelines_made_of_it(file: str, names: list[str]) -> None:
    assert list(pipelines_of([file], "dags/pipelines", SPECS)) == sorted(names)


def write(root: Path, name: str, **more: object) -> Path:
    path = root / "dags" / "pipelines" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({**SPEC, **more}))
    return path


def test_committed_edited_and_new_files_count_and_those_of_the_base_do_not(
    git, tmp_path, monkeypatch, capsys
) -> None:
    for name in ("fares", "tips", "tolls", "rides"):
        write(tmp_path, name)
    git("add", "-A")
    git("commit", "-qm", "one")
    git("checkout", "-qb", "work")
    write(tmp_path, "tips", owner="me")
    git("commit", "-qam", "two")
    write(tmp_path, "tolls", owner="me")
    write(tmp_path, "fresh")
    write(tmp_path, "fares").unlink()
    git("checkout", "-q", "--", "dags/pipelines/fares.yaml")
    git("stash", "-qu")
    git("checkout", "-q", "main")
    write(tmp_path, "rides", owner="another")
    git("commit", "-qam", "meanwhile, on the base")
    git("checkout", "-q", "work")
    git("stash", "pop", "-q")
    monkeypatch.setenv("EVERFIT_ROOT", str(tmp_path))
    assert main(["changed", "--base", "main", "--json"]) == 0
    assert mismatch(json.loads(capsys.readouterr().out), load("changed").answer()) is None
    assert main(["changed", "--base", "main"]) == 0
    assert capsys.readouterr().out.split() == [
        "fresh",
        "dags/pipelines/fresh.yaml",
        "tips",
        "dags/pipelines/tips.yaml",
        "tolls",
        "dags/pipelines/tolls.yaml",
    ]
    pipelines = tmp_path / "dags" / "pipelines"
    was = spec_at(tmp_path, pipelines, "tips", "main")
    assert was is not None
    assert was.owner == "everfit"
    assert spec_at(tmp_path, pipelines, "fresh", "main") is None


@pytest.mark.parametrize("base", ["nowhere", "--octopus", "$(touch x)"])
def test_a_base_that_is_none_is_told_in_one_line(git, tmp_path, monkeypatch, capsys, base) -> None:
    write(tmp_path, "fares")
    git("add", "-A")
    git("commit", "-qm", "one")
    monkeypatch.setenv("EVERFIT_ROOT", str(tmp_path))
    assert main(["changed", f"--base={base}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("CHANGED-BASE")


def test_a_folder_that_is_no_checkout_is_told(tmp_path, monkeypatch, capsys) -> None:
    write(tmp_path, "fares")
    monkeypatch.setenv("EVERFIT_ROOT", str(tmp_path))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert main(["changed"]) == 2
    assert capsys.readouterr().err.startswith("CHANGED-GIT")
