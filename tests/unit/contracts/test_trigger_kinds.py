"""A trigger kind is one file, and all that knows of kinds finds it there."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from everfit.contracts.spec.triggers.kinds import DUE, KINDS, SIGNALS
from tests.scratch_package import PACKAGE, scratch_package

REPOSITORY = Path(__file__).resolve().parents[3]
KINDS_FOLDER = PACKAGE / "contracts" / "spec" / "triggers" / "kinds"

RECIPE = "everfit/contracts/spec/triggers/kinds/new_rows.py"

USED = """
import sys
from tests.unit.plan.test_policy import NEW, facts, spec
from everfit.contracts.spec.triggers.kinds import SIGNALS
from everfit.steps.plan.policy import evaluate
sys.path.append(sys.argv[1])
from spec_reference import condition_rows

pipeline = spec({"any": [{"new_rows": 5000}, {"code": True}]})
assert spec(pipeline.triggers.model_dump(mode="json", exclude_none=True)) == pipeline
condition, _ = pipeline.triggers.conditions()
judged = evaluate(pipeline, facts(new=NEW))
print(judged.because.partition(";")[0])
print(judged.signals[0], "new_rows" in SIGNALS)
print(condition.in_words(pipeline))
print([row for row in condition_rows("") if "new_rows" in row][0])
print(evaluate(spec({"any": [{"new_rows": 401}]}), facts(new=NEW[:1])).because)
"""


def test_the_kinds_are_found_and_not_listed_by_hand():
    assert list(KINDS) == sorted(p.stem for p in KINDS_FOLDER.glob("*.py") if p.stem != "__init__")
    assert set(SIGNALS) == {kind.signal for kind in KINDS.values()} | {DUE}


def test_the_recipe_of_the_docs_adds_a_kind_by_one_file(tmp_path):
    folder = scratch_package(tmp_path, "explanation/triggers.md", RECIPE)
    done = subprocess.run(
        [sys.executable, "-c", USED, str(REPOSITORY / "scripts")],
        env={"PYTHONPATH": f"{folder}:{REPOSITORY}", "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == [
        "new_rows: 400 new rows, 5,000 needed",  # and a span that nobody has read
        "new_rows True",
        "at least 5,000 new rows arrived",
        "| `new_rows` | whole number |  | enough rows have arrived that no finished run has used "
        "yet |",
        "new_rows: 400 new rows, 401 needed",
    ], done.stderr


@pytest.mark.parametrize("text", ["", "KIND = 1\n"])
def test_a_file_without_a_kind_is_named_at_once(tmp_path, text):
    folder = scratch_package(tmp_path, "explanation/triggers.md", RECIPE)
    (folder / RECIPE).write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", "import everfit.contracts.spec.triggers"],
        env={"PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "new_rows must hold one TriggerKind, with 'new_rows' as its kind" in done.stderr


def strings(path: Path) -> set[str]:
    """The texts of a file that are no docstring and no part of a longer text."""
    tree = ast.parse(path.read_text())
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)} - {None}


LEDGER = "pipeline_components/everfit/storage/ledger"

OF_ANOTHER_KIND = {
    "pipeline_components/everfit/cli/commands/monitor.py": "what was measured of a span",
    "pipeline_components/everfit/cli/commands/status.py": "a heading",
    "pipeline_components/everfit/contracts/spec/notices.py": "kinds of notice",
    "pipeline_components/everfit/steps/monitor/news.py": "kinds of notice",
    f"{LEDGER}/migrations/versions/r0009_champion_decay.py": "a column",
    f"{LEDGER}/statements.py": "a column",
    f"{LEDGER}/tables.py": "a column",
}
"""File → what else it calls by a kind's name. ``schedule`` and ``code`` name too much to tell."""


def test_no_file_of_the_product_names_a_kind_but_its_own():
    own = {"drift", "decay", "new_data"}
    sources = [*PACKAGE.rglob("*.py"), *(REPOSITORY / "plugins").rglob("*.py")]
    naming = {
        path.relative_to(REPOSITORY).as_posix(): sorted(own & strings(path))
        for path in sources
        if KINDS_FOLDER not in path.parents and own & strings(path)
    }
    assert naming.keys() == OF_ANOTHER_KIND.keys(), naming
