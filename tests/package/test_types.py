"""A user's script that uses the API passes ``mypy --strict`` against the installed wheel."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.package.conftest import Environment, locked, put

GOOD = """
from pathlib import Path

import pandas as pd

import everfit

pipeline: everfit.Pipeline = everfit.pipeline("taxi_fare")
try:
    run: everfit.Run = pipeline.run(window=3, reason="more history")
except everfit.errors.SpecError as error:
    problems: tuple[str, ...] = error.problems
else:
    score: float = run.metrics["mae"]
    report: Path | None = run.report
    version: int | None = run.version
rows: pd.DataFrame = pipeline.runs(verdict="promote")
told: pd.Series = pipeline.champion.predict(rows)
moved: pd.DataFrame = pipeline.champion.explain(rows)
table: pd.DataFrame | None = pipeline.step("prepare").frame
svg: str = pipeline.plot.drift().svg
text: str = everfit.__version__
"""
WRONG = [
    'import everfit\neverfit.pipeline("x").run(window="some")\n',
    'import everfit\nscore: str = everfit.pipeline("x").run().metrics["mae"]\n',
    'import everfit\neverfit.pipeline("x").champion.forecast()\n',
    'import everfit\neverfit.pipelin("x")\n',
]


@pytest.fixture(scope="module")
def one(environment: Callable[..., Environment]) -> Environment:
    made = environment("airflow", "components")
    put(locked("pandas-stubs"), made.folder)  # as everybody needs who checks what uses pandas
    return made


def checked(one: Environment, text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    script = folder / "script.py"
    script.write_text(text)
    return subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--config-file", "/dev/null"),
            *("--cache-dir", folder.parent / "mypy-cache"),
            *("--python-executable", one.program("python"), script),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_right_script_passes(one: Environment, tmp_path: Path) -> None:
    done = checked(one, GOOD, tmp_path)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_one_does_not(one: Environment, tmp_path: Path, text: str) -> None:
    done = checked(one, text, tmp_path)
    assert done.returncode == 1
    assert "script.py:2: error" in done.stdout
