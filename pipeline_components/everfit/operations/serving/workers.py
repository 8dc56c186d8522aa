"""Several processes at one socket: each follows the champion, and one that dies is replaced."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from everfit.engine.stopping import EXIT_TERMINATED, Terminated

AGAIN_SECONDS = 1.0
"""Before a process that died is replaced."""

END_SECONDS = 60.0
"""That processes get to end."""


@dataclass(frozen=True)
class Worker:
    """The process that this code runs in.

    Attributes
    ----------
    number : int
        From 0.
    started : callable
        To be called when it answers.
    is_first : bool
        Whether it speaks for all: the first process of number 0.
    """

    number: int = 0
    started: Callable[[], object] = int  # nothing to do
    is_first: bool = True


def fork_workers(count: int, ended: Callable[[int], None]) -> Worker | int:
    """Fork the processes; the one that calls goes on only to replace those that die.

    It must have no thread yet. The first process must answer before the others are begun: what is
    wrong with the pipelines or the settings is said once. They end when their parent does.

    Parameters
    ----------
    count : int
    ended : callable
        Told the id of each process that ended.

    Returns
    -------
    Worker or int
        In a new process, which it is; in the parent, when all have ended, the exit code.
    """
    alive, held = os.pipe()
    running: dict[int, int] = {}

    def begin(number: int, is_first: bool) -> Worker | int | None:
        """In the new process, which it is; in the parent None, or how the first one failed."""
        ready, done = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(held)
            os.close(ready)
            threading.Thread(target=_end_with_parent, args=(alive,), daemon=True).start()
            # Nobody reads what another one than the first says.
            started = partial(_say_ready, done) if is_first else int
            return Worker(number, started, is_first)
        running[pid] = number
        os.close(done)
        answers = not is_first or os.read(ready, 1)
        os.close(ready)
        if answers:
            return None
        _, status = os.waitpid(pid, 0)
        return abs(os.waitstatus_to_exitcode(status))

    try:
        for number in range(count):
            found = begin(number, number == 0)
            if found is not None:
                return found
        while True:
            pid, _ = os.wait()
            ended(pid)
            time.sleep(AGAIN_SECONDS)
            found = begin(running.pop(pid), False)
            if found is not None:
                return found
    except (Terminated, KeyboardInterrupt):
        return _end(running)


def _end(running: dict[int, int]) -> int:
    """End all processes: 0 if they ended well."""
    for pid in running:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    give_up, worst = time.monotonic() + END_SECONDS, 0
    for pid in list(running):
        while True:
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                worst = max(worst, abs(os.waitstatus_to_exitcode(status)))
                break
            if time.monotonic() > give_up:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
    return EXIT_TERMINATED if worst else 0


def _say_ready(done: int) -> None:
    os.write(done, b"1")
    os.close(done)


def _end_with_parent(alive: int) -> None:
    os.read(alive, 1)  # nothing comes: it is closed when the parent has ended
    os.kill(os.getpid(), signal.SIGTERM)
