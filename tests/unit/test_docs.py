"""The documentation names everything there is to name."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline_components.cli.main import parser
from pipeline_components.contracts.steps import CHAIN

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
SOURCES = [
    path
    for folder in ("pipeline_components", "plugins", "dags")
    for path in sorted((ROOT / folder).rglob("*.py"))
]


@pytest.mark.parametrize(
    "script", ["spec_reference.py", "error_reference.py", "contract_schemas.py"]
)
def test_the_references_are_what_the_code_says(script: str) -> None:
    path = ROOT / "scripts" / script
    assert subprocess.run([sys.executable, path, "--check"], check=False).returncode == 0


def test_every_component_is_described() -> None:
    page = (DOCS / "components.md").read_text()
    assert [name for name in CHAIN if f"| `{name}` |" not in page] == []


def test_every_command_and_flag_is_described() -> None:
    page = (DOCS / "cli.md").read_text()
    (commands,) = [a for a in parser()._actions if isinstance(a, argparse._SubParsersAction)]
    missing = []
    for name, command in commands.choices.items():
        if f"`everfit {name}" not in page:
            missing.append(name)
        for action in command._actions:
            long = [flag for flag in action.option_strings if flag.startswith("--")]
            missing += [f"{name} {flag}" for flag in long if flag not in page and flag != "--help"]
    assert missing == []


def test_every_setting_is_described() -> None:
    page = (DOCS / "settings.md").read_text()
    used = {
        name
        for path in SOURCES
        for name in re.findall(r"\bEVERFIT_[A-Z_]+[A-Z]\b", path.read_text())
    }
    assert sorted(name for name in used if name not in page and name != "EVERFIT_CONN") == []


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted(DOCS.glob("*.md"))], ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []
