"""A git checkout to change, and what to sign and push with."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.debian import cosign, debian, registry  # noqa: F401 (fixtures)

Git = Callable[..., str]


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """A checkout on a branch ``work`` with a first commit on ``main``."""

    def run(*words: str) -> str:
        who = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
        return subprocess.run(
            ["git", "-C", str(tmp_path), *who, *words], check=True, capture_output=True, text=True
        ).stdout

    run("init", "-q", "-b", "main")
    return run
