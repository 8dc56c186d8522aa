"""Killing a function at its Nth outward act, in a child, as a power cut would."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

ACTS = frozenset(
    {"os.link", "os.rename", "os.remove", "os.mkdir", "os.truncate", "sqlite3.connect", "shutil.move"}
)  # fmt: skip
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def killed_at(act: int, function: Callable[[], object]) -> bool:
    """Run ``function`` in a forked child that is SIGKILLed just before its ``act``-th act.

    Acts are what changes the world: files opened for writing, links, renames, removals, folders,
    database connections.

    Returns
    -------
    bool
        False where the function ended before, having fewer acts.
    """
    child = os.fork()
    if child == 0:
        seen = 0

        def count(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal seen
            writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
            if writes or event in ACTS:
                seen += 1
                if seen == act:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        code = 1
        try:
            function()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, "the function failed before it could be killed"
    return False
