"""A component as a child process of its own session, so that all of it can be ended at once."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from everfit_airflow.runners import Ending

GRACE = 5.0
"""Seconds between asking a component to end and ending it."""


class ProcessRunner:
    """Runs ``<program> --order FILE --outcome FILE`` on this machine.

    Parameters
    ----------
    program : sequence of str
        What carries out an order, such as ``python -m everfit.engine.execute``.
    """

    def __init__(self, program: Sequence[str]) -> None:
        self._program = tuple(program)
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False

    def run(
        self,
        order: bytes,
        environment: Mapping[str, str],
        secrets: Mapping[str, str],
        log: Callable[[str], None],
        remember: Callable[[dict[str, Any]], None],
    ) -> Ending:
        """See ``Runner.run``."""
        if self._stopped:
            return Ending(-signal.SIGTERM, None, "stopped before it was started")
        with tempfile.TemporaryDirectory(prefix="everfit-task-") as folder:
            order_file, outcome_file = Path(folder, "order.json"), Path(folder, "outcome.json")
            order_file.write_bytes(order)
            process = subprocess.Popen(  # noqa: S603 (our own program)
                [*self._program, "--order", str(order_file), "--outcome", str(outcome_file)],
                cwd=folder,
                env={**environment, **secrets},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                text=True,
                errors="replace",
            )
            self._process = process
            lines = _Lines(process.stdout, log)
            try:
                lines.start()
                if self._stopped:  # asked while it was being started
                    self.stop()
                remember(identity(process.pid))
                _await_exit(process.pid)
            finally:
                # The leader is not reaped yet, so its number is still its own: whatever of its
                # group outlived it goes now. The pipe then closes and the last lines arrive.
                _signal_group(process.pid, signal.SIGKILL)
                code = process.wait()
                lines.finish()
            outcome = outcome_file.read_bytes() if outcome_file.exists() else None
            return Ending(code, outcome, lines.last)

    def stop(self) -> None:
        """Ask the whole group to end, and end it after a grace period."""
        self._stopped = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        _signal_group(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        while time.monotonic() < deadline and not _has_exited(process.pid):
            time.sleep(0.05)
        _signal_group(process.pid, signal.SIGKILL)

    def fence(self, remembered: Mapping[str, Any]) -> str | None:
        """End the group an earlier try of this task left running on this machine."""
        group = int(remembered.get("group", 0))
        if group <= 1 or remembered.get("host") != platform.node():
            return None
        if not _is_still(group, str(remembered.get("started"))):
            return None
        _signal_group(group, signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        while time.monotonic() < deadline and any(_members(group)):
            time.sleep(0.05)
        _signal_group(group, signal.SIGKILL)
        return f"Ended process group {group}, which an earlier try had left running."


class _Lines(threading.Thread):
    """Hands each line on as it comes and keeps the last."""

    def __init__(self, stream: IO[str] | None, log: Callable[[str], None]) -> None:
        super().__init__(name="component-log", daemon=True)
        self._stream, self._log = stream, log
        self.last = ""

    def run(self) -> None:
        if self._stream is None:
            return
        for line in self._stream:
            text = line.rstrip()
            if text:
                self.last = text
                self._log(text)

    def finish(self) -> None:
        """Wait for the rest; a process that left the group may hold the pipe open."""
        if self.ident is not None:
            self.join(timeout=GRACE)
        if self._stream is not None and not self.is_alive():
            self._stream.close()


def identity(pid: int) -> dict[str, Any]:
    """What names a process for good: machine, group, and when it started."""
    return {"group": pid, "host": platform.node(), "started": _started(pid) or ""}


def _await_exit(pid: int) -> None:
    """Wait until the process has ended, without reaping it."""
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def _has_exited(pid: int) -> bool:
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
    except ChildProcessError:
        return True


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _is_still(group: int, started: str) -> bool:
    """Whether the group is the remembered one; numbers are used again, start times are not."""
    if not started:
        return False
    now = _started(group)
    if now is not None:
        return now == started
    # The leader is gone, but the kernel gives its number to nobody while its group lives on.
    return started.split("/", maxsplit=1)[0] == _boot() and any(_members(group))


def _started(pid: int) -> str | None:
    """Boot and start time of a process, None where there is none."""
    stat = _stat(pid)
    if stat is not None:
        return f"{_boot()}/{stat[19]}"
    if Path("/proc/self/stat").exists():
        return None
    shown = subprocess.run(  # noqa: S603 (a system without /proc)
        ["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return f"{_boot()}/{shown}" if shown else None


def _members(group: int) -> Iterator[int]:
    """Living processes of a group."""
    for entry in Path("/proc").glob("[0-9]*"):
        stat = _stat(int(entry.name))
        if stat is not None and int(stat[2]) == group and stat[0] != "Z":
            yield int(entry.name)


def _stat(pid: int) -> list[str] | None:
    """Fields of ``/proc/<pid>/stat`` from the state on: 0 state, 2 group, 19 start time."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return None


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
