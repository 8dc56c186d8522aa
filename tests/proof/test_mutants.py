"""Take a guard out, and its test must fail; put it back, and it passes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import everfit
from tests.proof.mutants import MUTANTS, Mutant

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = Path(everfit.__file__).parent


def checkout(folder: Path) -> Path:
    """A checkout whose package can be mutated; all else is the real one's."""
    for path in REPOSITORY.iterdir():
        if path.name != "pipeline_components" and not path.name.startswith(".everfit"):
            (folder / path.name).symlink_to(path)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, folder / "pipeline_components" / "everfit", ignore=ignore)
    return folder


def outcome_of(folder: Path, killers: list[str]) -> subprocess.CompletedProcess[str]:
    """Run tests on the checkout's own package; whatever else is imported, they fail to start."""
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-p",
            "no:cacheprovider",
            "-p",
            "tests.proof.mutated",
            "--tb=line",
            *killers,
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "PYTHONPATH": f"{folder}:{folder / 'pipeline_components'}",
            "EVERFIT_MUTANT": str(folder),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
    )


def skipped(done: subprocess.CompletedProcess[str]) -> bool:
    """Whether nothing ran, for want of a service or a tool."""
    return done.returncode == 0 and not re.search(r"\d+ passed", done.stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkout(tmp_path_factory.mktemp("mutant"))


def test_as_it_is_every_killer_passes(folder: Path) -> None:
    done = outcome_of(folder, sorted({mutant.killer for mutant in MUTANTS}))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr


@pytest.mark.parametrize(
    "mutant",
    [
        pytest.param(mutant, marks=[pytest.mark.thorough] * (number % 2))
        for number, mutant in enumerate(MUTANTS)
    ],
    ids=[mutant.name for mutant in MUTANTS],
)
def test_without_the_guard_its_test_fails(mutant: Mutant, folder: Path) -> None:
    path = folder / "pipeline_components" / "everfit" / mutant.file
    sound = path.read_text()
    assert sound.count(mutant.old) == 1, f"{mutant.file}: the guard is not there just once"
    path.write_text(sound.replace(mutant.old, mutant.new))
    try:
        done = outcome_of(folder, [mutant.killer])
    finally:
        path.write_text(sound)
    if skipped(done):
        pytest.skip(done.stdout.strip().splitlines()[-1])
    assert done.returncode == 1 and " failed" in done.stdout, (
        f"survived, though {mutant.why}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    )
