"""``scripts/setup.sh``: one clear line for whatever is wrong, and nothing half-done is kept."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = """#!/bin/sh
case "$*" in
  *"-m venv"*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; cp "{tools}/uv" "$3/bin/uv" ;;
  *--version*) echo "Python {version}" ;;
  *version_info*) exit {old} ;;
  *ensurepip*) exit {no_venv} ;;
esac
"""
UV = "#!/bin/sh\n{does}\n"


@dataclass
class Checkout:
    """A checkout to set up with a Python and a uv that only pretend."""

    folder: Path

    def pretend(self, *, version="3.11.9", old=0, no_venv=0, uv="exit 0") -> None:
        for name, text in {
            "python3": PYTHON.format(version=version, old=old, no_venv=no_venv, tools=self.tools),
            "uv": UV.format(does=uv),
        }.items():
            (self.tools / name).write_text(text)
            (self.tools / name).chmod(0o755)

    @property
    def tools(self) -> Path:
        return self.folder / "tools"

    def run(self, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", self.folder / "scripts" / "setup.sh"],
            env={"PATH": str(self.tools), **environ},
            capture_output=True,
            text=True,
            check=False,
        )

    def line(self, **environ: str) -> str:
        """What a set-up that must fail says."""
        done = self.run(**environ)
        assert done.returncode == 2, done
        (line,) = done.stderr.splitlines()
        return line


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    made = Checkout(tmp_path)
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "setup.sh", tmp_path / "scripts")
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    made.tools.mkdir()
    # Nothing of the machine's own Pythons is to be found.
    for name in (
        "bash",
        "sh",
        "cat",
        "sha256sum",
        "cut",
        "grep",
        "head",
        "mktemp",
        "rm",
        "dirname",
        "tail",
        "mkdir",
        "touch",
        "cp",
    ):
        (made.tools / name).symlink_to(str(shutil.which(name)))
    made.pretend()
    return made


def test_a_python_that_is_too_old_absent_or_without_venv(checkout: Checkout) -> None:
    checkout.pretend(version="3.9.2", old=1)
    assert "needs Python 3.11 or newer; Python 3.9.2 was found. Install" in checkout.line()
    old = str(checkout.tools / "python3")
    assert "it is Python 3.9.2. Name another." in checkout.line(PYTHON=old)
    assert "there must be such a program; there is none" in checkout.line(PYTHON="/nowhere/python")
    (checkout.tools / "python3").unlink()
    assert "none was found" in checkout.line()
    checkout.pretend(no_venv=1)
    assert "the venv module must be there; it is not" in checkout.line()
    assert not (checkout.folder / ".venv").exists()


@pytest.mark.parametrize(
    ("told", "part"),
    [
        (
            "error: Failed to fetch: tcp connect error: Connection refused",
            "index must be reachable",
        ),
        ("error: write: No space left on device (os error 28)", "No space left on device"),
    ],
)
def test_an_installer_that_fails_is_one_line_and_is_tried_again(
    checkout: Checkout, told: str, part: str
) -> None:
    checkout.pretend(uv=f"echo '{told}' >&2; exit 1")
    assert part in checkout.line()
    checkout.pretend()
    assert checkout.run().returncode == 0


def test_what_was_killed_half_way_is_made_anew_and_what_is_whole_is_left(
    checkout: Checkout,
) -> None:
    half = checkout.folder / ".venv" / "half-a-package"
    checkout.pretend(uv="kill -9 $PPID")
    assert checkout.run().returncode == -9
    half.touch()
    checkout.pretend()
    done = checkout.run()
    assert done.returncode == 0, done
    assert not half.exists()
    half.touch()
    again = checkout.run()
    assert (again.returncode, again.stdout) == (0, "")
    assert half.exists()


@pytest.mark.skipif(not os.getuid(), reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(checkout: Checkout) -> None:
    checkout.folder.chmod(0o555)
    try:
        assert "this user must be able to write there" in checkout.line()
    finally:
        checkout.folder.chmod(0o755)
