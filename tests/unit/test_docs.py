"""The documentation names everything there is to name."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from everfit.cli.command import load, names
from everfit.cli.parser import parser_of
from everfit.contracts.messages.chain import CHAIN

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
SOURCES = [
    path
    for folder in ("pipeline_components", "plugins", "dags")
    for path in sorted((ROOT / folder).rglob("*.py"))
]


@pytest.mark.parametrize(
    "script",
    [
        "spec_reference.py",
        "error_reference.py",
        "contract_schemas.py",
        "cli_reference.py",
        "python_reference.py",
    ],
)
def test_the_references_are_what_the_code_says(script: str) -> None:
    path = ROOT / "scripts" / script
    assert subprocess.run([sys.executable, path, "--check"], check=False).returncode == 0


def test_every_component_is_described() -> None:
    page = (DOCS / "reference" / "components.md").read_text()
    assert [name for name in CHAIN if f"| `{name}` |" not in page] == []


def test_every_command_and_flag_is_described() -> None:
    page = (DOCS / "reference" / "cli.md").read_text()
    missing = []
    for name in names():
        if f"`everfit {name}" not in page:
            missing.append(name)
        flags = parser_of(name, load(name)).options()
        missing += [f"{name} {flag}" for flag in flags if flag not in page and flag != "--help"]
    assert missing == []


def test_every_setting_is_described() -> None:
    page = (DOCS / "reference" / "settings.md").read_text()
    used = {
        name
        for path in SOURCES
        for name in re.findall(r"\bEVERFIT_[A-Z_]+[A-Z]\b", path.read_text())
    }
    assert sorted(name for name in used if name not in page and name != "EVERFIT_CONN") == []


@pytest.mark.parametrize("part", ["tutorial", "how-to", "reference", "explanation", "adr"])
def test_an_index_names_every_page_of_its_part(part: str) -> None:
    folder = DOCS / part
    named = re.findall(r"\]\(([^/)#]+\.md)\)", (folder / "index.md").read_text())
    assert set(named) == {page.name for page in folder.glob("*.md")} - {"index.md"}


@pytest.mark.parametrize("page", [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))], ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []
