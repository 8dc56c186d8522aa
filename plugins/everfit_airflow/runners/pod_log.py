"""Lines of a pod, each once, however often its stream breaks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable


class PodLog:
    """Takes lines with their times, and hands on those that are new.

    A log is asked for anew from a time on, and the cluster knows times to the second: what came
    within the last second is remembered, and left out when it comes again.

    Parameters
    ----------
    log : callable
        Gets each line.
    tail : int, optional
        How many of the lines there are already to begin with; all where left out.
    """

    def __init__(self, log: Callable[[str], None], tail: int | None = None) -> None:
        self._log, self._first = log, tail
        self.since: str | None = None
        """Where to go on from; None: no line has come."""
        self.last = ""
        """The last line."""
        self._lately: Counter[bytes] = Counter()
        self._again: Counter[bytes] = Counter()
        self._began: bytes | None = None
        self._told = False

    @property
    def tail(self) -> int | None:
        """How many lines to begin with; None: all of them, or all since ``since``."""
        return self._first if self.since is None else None

    def opened(self) -> None:
        """The stream is opened, again or for the first time, at ``since``."""
        self._again = Counter(self._lately)

    def take(self, line: bytes) -> None:
        """Hand on the text of a line, unless it came before."""
        if self._again[line] > 0:
            self._again[line] -= 1
            return
        time, _, text = line.partition(b" ")
        if self._began is None:
            self._began = time
        if time < self._began:  # of the same second, but before the lines asked for at first
            return
        second = time[:19].decode(errors="replace") + "Z"
        if self.since is None or second > self.since:
            self.since = second
            self._lately.clear()
        self._lately[line] += 1
        said = text.decode(errors="replace").rstrip()
        if said:
            self.last = said
            self._log(said)

    def missing(self, why: str) -> None:
        """Say once that there is no log to hand on."""
        if not self._told:
            self._log(why)
        self._told = True
