"""`everfit run` killed again and again, at any moment, ends as if nothing had happened."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from everfit.engine.context import open_context
from everfit.storage.mlflow import champion_alias

KILLS = 6
PROGRAM = "import sys; from everfit.cli import main; sys.exit(main())"


def start(world) -> subprocess.Popen[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "EVERFIT_ROOT": str(world.context.settings.root),
    }
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "run", "quick"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.mark.slow
def test_a_run_killed_at_any_moment_ends_in_one_version(world) -> None:
    world.months(3, rows=300)
    world.load()
    kills = 0
    for attempt in range(KILLS):
        child = start(world)
        # Each attempt gets a little further than the last, through imports, work and publishing.
        time.sleep(0.5 + 1.5 * attempt)
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            kills += 1
        child.communicate()
    child = start(world)
    shown, _ = child.communicate()
    assert child.returncode == 0, shown
    assert kills >= 1
    with open_context(world.context.settings) as context:
        assert [record.version for record in context.ledger.versions("quick")] == [1]
        assert [entry.version for entry in context.ledger.history("quick")] == [1]
        assert context.ledger.unfinished_registrations("quick") == []
    assert champion_alias(world.context.settings, "quick") == 1
