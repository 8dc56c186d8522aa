"""Progress of long work: a live bar in a terminal, one line per 10 % in a log."""

from __future__ import annotations

import logging
import sys
import time
from typing import Protocol

log = logging.getLogger(__name__)


class Progress(Protocol):
    """What a component reports to while it works."""

    def update(self, what: str, done: float, total: float) -> None:
        """``done`` of ``total`` (any unit) of ``what`` is finished."""


class LogProgress:
    """A line per 10 %, and none for work that is over within two seconds."""

    def __init__(self) -> None:
        self._what = ""
        self._began = 0.0
        self._tenth = 0

    def update(self, what: str, done: float, total: float) -> None:
        """Log when another tenth is done."""
        now = time.monotonic()
        if what != self._what:
            self._what, self._began, self._tenth = what, now, 0
        tenth = int(10 * done / total) if total > 0 else 10
        if tenth > self._tenth and (now - self._began > 2 or tenth < 10):
            if now - self._began > 2:
                log.info("%s: %d %%", what, 10 * tenth)
            self._tenth = tenth


class TerminalProgress:
    """One line that is redrawn in place on standard error."""

    def __init__(self) -> None:
        self._last = 0.0

    def update(self, what: str, done: float, total: float) -> None:
        """Redraw at most ten times a second."""
        now = time.monotonic()
        if now - self._last < 0.1 and done < total:
            return
        self._last = now
        share = min(done / total, 1.0) if total > 0 else 1.0
        bar = "█" * round(24 * share)
        sys.stderr.write(f"\r\x1b[2K  {bar:<24} {share:4.0%} {what}")
        if share >= 1.0:
            sys.stderr.write("\r\x1b[2K")
        sys.stderr.flush()
