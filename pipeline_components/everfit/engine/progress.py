"""Progress of long work: what a component reports to, and a line for every tenth of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Protocol

log = logging.getLogger(__name__)


class Progress(Protocol):
    """What a component reports to while it works."""

    def update(self, what: str, done: float, total: float) -> None:
        """``done`` of ``total`` (any unit) of ``what`` is finished."""


def _log(text: str) -> None:
    log.info("%s", text)


class LogProgress:
    """A line per 10 %, and none for work that is over within two seconds.

    Parameters
    ----------
    write : callable, optional
        Takes a line; the log's INFO where left out.
    """

    def __init__(self, write: Callable[[str], None] = _log) -> None:
        self._write = write
        self._what = ""
        self._began = 0.0
        self._tenth = 0

    def update(self, what: str, done: float, total: float) -> None:
        """Write when another tenth is done."""
        now = time.monotonic()
        if what != self._what:
            self._what, self._began, self._tenth = what, now, 0
        tenth = int(10 * done / total) if total > 0 else 10
        if tenth > self._tenth and (now - self._began > 2 or tenth < 10):
            if now - self._began > 2:
                self._write(f"{what}: {10 * tenth} %")
            self._tenth = tenth
