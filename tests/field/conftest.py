"""A checkout made of one of the cases met in the field, or of tables of a test's own."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from everfit.cli import main

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"


class Checkout:
    """One pipeline ``p`` in a folder of its own, run as a user would."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self._capsys = root, capsys

    def everfit(self, *arguments: str) -> tuple[int, str]:
        """Exit code, and everything that was written."""
        self._capsys.readouterr()
        code = main(list(arguments))
        shown = self._capsys.readouterr()
        return code, shown.out + shown.err

    def page(self, name: str) -> str:
        """The newest report of that name."""
        found = (self.root / ".everfit" / "reports" / "p").glob(f"*/{name}.html")
        return max(found, key=lambda path: path.stat().st_mtime_ns).read_text()


@pytest.fixture
def checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Checkout:
    """An empty checkout that is the working folder."""
    for name in list(os.environ):
        if name.startswith("EVERFIT_") or name == "MLFLOW_TRACKING_URI":
            monkeypatch.delenv(name)
    monkeypatch.setenv("EVERFIT_ROOT", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "2000")
    monkeypatch.chdir(tmp_path)
    return Checkout(tmp_path, capsys)


@pytest.fixture
def case(checkout: Checkout) -> Callable[[str], Checkout]:
    """The checkout of a case of ``../shared/cases``, by the beginning of its name."""

    def copied(number: str) -> Checkout:
        found = sorted(CASES.glob(f"{number}-*"))
        if not found:
            pytest.skip(f"no cases of the field: {CASES} has no {number}-*")
        shutil.copytree(found[0], checkout.root, dirs_exist_ok=True)
        for path in [checkout.root, *checkout.root.rglob("*")]:
            path.chmod(path.stat().st_mode | stat.S_IWUSR)
        return checkout

    return copied


@pytest.fixture
def months(checkout: Checkout) -> Callable[..., Checkout]:
    """A checkout of tables of a test's own, one a month, and a spec."""

    def written(tables: Mapping[str, pd.DataFrame], **spec: Any) -> Checkout:
        for folder in ("data", "dags/pipelines"):
            (checkout.root / folder).mkdir(parents=True, exist_ok=True)
        for name, table in tables.items():
            table.to_csv(checkout.root / "data" / f"{name}.csv", index=False)
        document = {
            "source": {"uri": "data/*.csv"},
            "train": {"families": ["linear"], "trials": 1, "folds": 2},
            "holdout": {"spans": 1},
            **spec,
        }
        (checkout.root / "dags" / "pipelines" / "p.yaml").write_text(yaml.safe_dump(document))
        return checkout

    return written
