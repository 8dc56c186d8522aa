"""Scratch folders of killed processes go; those of processes at work stay."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from everfit.storage.scratch import ALIVE, LEFTOVER_SECONDS, scratch_folder, sweep_leftovers

HOLD = """
import os, sys
from everfit.storage.scratch import scratch_folder
with scratch_folder() as folder:
    (folder / "big").write_bytes(b"x" * 1000)
    print(folder.parent, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def start() -> tuple[subprocess.Popen[str], Path]:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    return child, Path(child.stdout.readline().strip())


def later() -> float:
    return time.time() + LEFTOVER_SECONDS + 60


def test_what_a_killed_process_left_goes_and_what_is_in_use_stays(place: Path):
    dead, left = start()
    living, used = start()
    os.kill(dead.pid, signal.SIGKILL)
    dead.communicate()
    try:
        assert sweep_leftovers(place) == 0  # too young to tell
        assert sweep_leftovers(place, later()) == 1
        assert not left.exists()
        assert (used / "work" / "big").exists()
    finally:
        living.communicate("")
    assert not used.exists()


def test_folders_that_are_not_ours_are_left_alone(place: Path):
    (place / "everfit-of-a-person").mkdir()
    (place / "everfit-a-file").write_text("x")
    (place / "everfit-link").symlink_to(place / "everfit-of-a-person")
    other = place / "everfit-elsewhere"
    other.mkdir()
    (other / "alive").write_text("")
    assert sweep_leftovers(place, later()) == 0
    assert len(list(place.iterdir())) == 4


def test_the_next_start_sweeps(place: Path):
    dead, left = start()
    os.kill(dead.pid, signal.SIGKILL)
    dead.communicate()
    os.utime(left, (0, 0))
    with scratch_folder() as folder:
        assert not left.exists()
        assert (folder.parent / ALIVE).exists()
    assert list(place.iterdir()) == []
