"""The recipes of the documentation: add one file, edit none, and run with it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.world import QUICK, month_csv

ROOT = Path(__file__).parents[2]
PACKAGE = "pipeline_components/everfit"
PAGES = {
    "reference/metrics.md": "contracts/spec/metrics/mape.py",
    "reference/families.md": "contracts/spec/families/nearest_neighbours.py",
    "explanation/triggers.md": "contracts/spec/triggers/kinds/new_rows.py",
    "reference/sources.md": "data/sources/shelf.py",
    "reference/checks.md": "steps/gate/checks/constant.py",
    "reference/cli.md": "cli/commands/owners.py",
}


def recipe(page: str) -> str:
    """The file that a page says to add."""
    text = (ROOT / "docs" / page).read_text()
    (found,) = re.findall(rf"^```python\n# {PACKAGE}/{PAGES[page]}\n(.*?)^```$", text, re.M | re.S)
    return str(found)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scratch copy of the package with the recipes' files in it, and one pipeline."""
    home = tmp_path_factory.mktemp("checkout")
    package = home / PACKAGE
    shutil.copytree(ROOT / PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    for page, path in PAGES.items():
        assert not (package / path).exists()
        (package / path).write_text(recipe(page))
    (home / "data" / "trips").mkdir(parents=True)
    for month in (1, 2):
        (home / "data" / "trips" / f"2024-{month:02d}.csv").write_text(
            month_csv(2024, month, 400, seed=month)
        )
    write_spec(home, {"metric": "mape"}, ["linear", "nearest_neighbours"])
    return home


def write_spec(home: Path, gate: dict[str, Any], families: list[str]) -> None:
    spec = QUICK | {
        "gate": QUICK["gate"] | gate,
        "train": QUICK["train"] | {"families": families},
        "window": {"spans": 1},
        "source": {"uri": "shelf://trips", "options": {"folder": str(home / "data" / "trips")}},
        "triggers": {"any": [{"new_rows": 500}]},
        "owner": "ada",
    }
    (home / "dags" / "pipelines").mkdir(parents=True, exist_ok=True)
    (home / "dags" / "pipelines" / "quick.yaml").write_text(yaml.safe_dump(spec))


def python(home: Path, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=home,
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(home / "pipeline_components"),
            "EVERFIT_ROOT": str(home),
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_each_part_is_added_by_one_file_and_run(checkout: Path) -> None:
    done = python(
        checkout, "from everfit.cli import main; raise SystemExit(main(['run', 'quick']))"
    )
    assert done.returncode == 0, done.stderr
    assert "train nearest_neighbours" in done.stdout
    (evaluated,) = [line for line in done.stdout.splitlines() if " evaluate " in line]
    assert "MAPE 0." in evaluated
    (page,) = (checkout / ".everfit" / "reports" / "quick").rglob("decision_report.html")
    report = page.read_text()
    assert "MAPE (mean absolute percentage error)" in report
    assert "Predictions vary" in report
    assert "distinct predictions." in report


def test_the_recipes_command_is_there_in_help_and_as_json(checkout: Path) -> None:
    code = "from everfit.cli import main; raise SystemExit(main({}))"
    assert "who owns which pipeline" in python(checkout, code.format(["--help"])).stdout
    assert python(checkout, code.format(["owners"])).stdout == "quick: ada\n"
    assert json.loads(python(checkout, code.format(["owners", "--json"])).stdout) == {
        "quick": "ada"
    }


def test_the_recipes_trigger_is_evaluated(checkout: Path) -> None:
    code = (
        "from everfit.contracts.messages.trigger_facts import NewSpan\n"
        "from everfit.contracts.spec.load import load_spec\n"
        "from pathlib import Path\n"
        "from types import SimpleNamespace as Facts\n"
        "spec = load_spec(Path('dags/pipelines/quick.yaml'))\n"
        "(kind,) = spec.triggers.when.conditions\n"
        "for rows in (499, 500):\n"
        "    done = kind.evaluate(spec, Facts(new=(NewSpan('a', rows),)))\n"
        "    print(done.fired, done.because)\n"
        "print(kind.in_words(spec))\n"
    )
    done = python(checkout, code)
    assert done.stdout.splitlines() == [
        "False 499 new rows, 500 needed",
        "True 500 new rows, 500 needed",
        "at least 500 new rows arrived",
    ], done.stderr


def test_the_recipes_metric_scores_as_its_example_says(checkout: Path) -> None:
    code = (
        "import doctest, everfit.contracts.spec.metrics.mape as recipe\n"
        "print(doctest.testmod(recipe))"
    )
    assert python(checkout, code).stdout == "TestResults(failed=0, attempted=2)\n"


def test_a_new_name_is_suggested_for_one_that_is_nearly_it(checkout: Path) -> None:
    write_spec(checkout, {"metric": "mapee"}, ["nearest_neighbour"])
    code = "from everfit.cli import main; raise SystemExit(main(['check', '--spec-only']))"
    done = python(checkout, code)
    assert done.returncode == 2
    assert "did you mean 'nearest_neighbours'?" in done.stderr
