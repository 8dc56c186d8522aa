"""SIGTERM ends a process as Ctrl-C does: what is open is closed, and a line says so."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_TERMINATED = 128 + signal.SIGTERM

STOPPED = "Stopped by SIGTERM. What was finished is kept: run it again to continue."


class Terminated(BaseException):
    """Somebody sent SIGTERM; no error, so nothing that handles errors takes it for one."""


def _raise(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the second one ends it at once
    raise Terminated


@contextmanager
def terminable() -> Iterator[None]:
    """Turn SIGTERM into ``Terminated``, in the main thread alone, unless somebody handles it."""
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    ):
        yield
        return
    signal.signal(signal.SIGTERM, _raise)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
