"""Killing a function at its Nth outward act, in a child, as a power cut would."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

ACTS = frozenset(
    {"os.link", "os.rename", "os.remove", "os.mkdir", "os.truncate", "sqlite3.connect"}
)
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
    status = _in_child(function, act)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, "the function failed before it could be killed"
    return False


def count_acts(function: Callable[[], object], note: Path) -> int:
    """How many acts ``function`` has when nobody kills it."""
    assert _in_child(function, 0, note) == 0
    return int(note.read_text())


def _in_child(function: Callable[[], object], act: int, note: Path | None = None) -> int:
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
            total = seen
            if note is not None:
                note.write_text(str(total))
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]
