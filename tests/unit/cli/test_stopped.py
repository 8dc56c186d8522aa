"""SIGTERM says that it stopped the command, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from everfit.contracts.settings import Settings

STOPS = """
import sys, time
from everfit.cli import command, main
from everfit.cli.commands import status
from everfit.contracts.settings import Settings
from everfit.engine.context import open_context

def run(options, terminal):
    with open_context(Settings.from_environment()) as context:
        print(context.scratch, flush=True)
        time.sleep(60)

found = command.load
command.load = lambda name: found(name).__class__(**{**vars(found(name)), "run": run})
import everfit.cli.parser as parser
parser.load = command.load
sys.exit(main(["status"]))
"""


@pytest.mark.parametrize("sent", [signal.SIGTERM])
def test_a_command_that_is_terminated_says_so_and_cleans_up(settings: Settings, sent):
    child = subprocess.Popen(
        [sys.executable, "-c", STOPS],
        env={"PATH": os.environ["PATH"], "EVERFIT_ROOT": str(settings.root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    scratch = Path(child.stdout.readline().strip())
    assert scratch.is_dir()
    child.send_signal(sent)
    _, told = child.communicate()
    assert child.returncode == 128 + sent
    assert told.startswith("Stopped by SIGTERM. What was finished is kept")
    assert not scratch.parent.exists()
