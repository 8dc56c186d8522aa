"""Long-running programs, each in a process group of its own, started and stopped together."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from everfit_airflow.runners.process import ProcessRunner, identity
from everfit_launch.errors import LaunchError

PATIENCE = (15.0, 5.0, 2.0)
"""Seconds after asking (INT), after telling (TERM) and after ending (KILL)."""


class Services:
    """Programs that run until ``stop``.

    Their groups are noted in a file, so that the next start can end what a killed one left behind.

    Parameters
    ----------
    folder : Path
        Gets the note and a log of each program.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._note = folder / "processes.json"
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._killed: set[str] = set()
        self._lock: IO[str] | None = None

    def clear_the_way(self) -> None:
        """Take the folder for this process and end what an earlier, killed one left running.

        Raises
        ------
        LaunchError
            If another process has it.
        """
        if self._lock is None:
            # The kernel lets go of it with this process, however that ends.
            self._lock = (self._folder / "lock").open("w")
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                self._lock.close()
                self._lock = None
                raise LaunchError(
                    f"AIRFLOW {self._folder}: is at work already, started from another terminal. "
                    "Stop that one, or choose another folder in EVERFIT_HOME."
                ) from None
        with contextlib.suppress(OSError, ValueError):
            for left in json.loads(self._note.read_text()):
                ProcessRunner(()).fence(left)
        self._note.unlink(missing_ok=True)

    def log(self, name: str) -> Path:
        """Where a program writes."""
        return self._folder / "logs" / f"{name}.log"

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a program; its output goes to its log, after what one killed before it wrote."""
        self.log(name).parent.mkdir(parents=True, exist_ok=True)
        with self.log(name).open("ab" if name in self._killed else "wb") as log:
            self._running[name] = subprocess.Popen(  # noqa: S603 (our own program)
                list(command),
                cwd=self._folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._note.write_text(
            json.dumps([identity(process.pid) for process in self._running.values()])
        )

    def pid(self, name: str) -> int:
        """The process, and its group."""
        return self._running[name].pid

    def kill(self, name: str) -> None:
        """End a program and its group at once, as a machine out of memory does."""
        process = self._running.pop(name)
        self._killed.add(name)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def check(self) -> None:
        """Make sure that all of them still run.

        Raises
        ------
        LaunchError
            If one has ended; with the last line it wrote.
        """
        for name, process in self._running.items():
            if process.poll() is not None:
                raise LaunchError(
                    f"SERVICE {name}: must keep running; it ended with code {process.returncode}: "
                    f"{self.last_line(name)!r}. Read {self.log(name)}."
                )

    def last_line(self, name: str) -> str:
        """The last line of a program's log."""
        with contextlib.suppress(OSError):
            lines = self.log(name).read_text(errors="replace").split("\n")
            for line in reversed(lines):
                if line.strip():
                    return line.strip()[:300]
        return ""

    def stop(self) -> None:
        """End all of them with everything they started; safe to call again."""
        # The leader alone is asked: it knows how to end its own children in order.
        for process in self._running.values():
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGINT)
        self._wait(PATIENCE[0])
        for number, patience in ((signal.SIGTERM, PATIENCE[1]), (signal.SIGKILL, PATIENCE[2])):
            for process in self._running.values():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, number)
            self._wait(patience)
        self._running.clear()
        if self._lock is not None:  # without it, the note may be another process's
            self._note.unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if all(process.poll() is not None for process in self._running.values()):
                return
            time.sleep(0.1)
