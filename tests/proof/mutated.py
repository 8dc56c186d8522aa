"""A plugin of pytest's: the tests must run on the package that was mutated, and on no other."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def pytest_sessionstart(session: pytest.Session) -> None:
    import everfit

    there = Path(everfit.__file__).resolve()
    if not there.is_relative_to(Path(os.environ["EVERFIT_MUTANT"]).resolve()):
        pytest.exit(f"the tests would run on {there}", returncode=7)
