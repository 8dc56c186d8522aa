"""What a person sees while Airflow works: a line a task, and in a terminal one that moves."""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

from everfit_launch.rest import TaskState

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
MARKS = {
    "success": ("32", "✓"),
    "skipped": ("33", "–"),
    "failed": ("31", "✗"),
    "up_for_retry": ("33", "↻"),
    "removed": ("90", "·"),
}
FRAME = re.compile(r"\w+ \w+: (key|done in|cache hit) ")
"""The first and the last line of every component, which tell nothing of how far it is."""

HEARTBEAT = 10.0
"""Seconds between two words on a long task where there is no terminal."""


class Screen:
    """Writes lines; in a terminal the last one shows what is going on right now."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self.terminal = self._stream.isatty()
        self._turn = 0
        self._moving = False

    def line(self, text: str = "") -> None:
        """A line that stays."""
        self._clear()
        self._stream.write(text + "\n")
        self._stream.flush()

    def now(self, text: str) -> None:
        """What is going on; nothing where there is no terminal."""
        if not self.terminal:
            return
        self._turn += 1
        width = shutil.get_terminal_size().columns - 4
        self._stream.write(f"\r\x1b[2K  {SPINNER[self._turn % len(SPINNER)]} {text[:width]}")
        self._stream.flush()
        self._moving = True

    def paint(self, text: str, code: str) -> str:
        """Colour, in a terminal."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.terminal else text

    def strong(self, text: str) -> str:
        """What to look at first."""
        return self.paint(text, "1")

    def faint(self, text: str) -> str:
        """What can be passed over."""
        return self.paint(text, "2")

    def _clear(self) -> None:
        if self._moving:
            self._stream.write("\r\x1b[2K")
            self._moving = False


class RunView:
    """Shows a run while it goes on: every task once it has ended, and what the others do.

    Parameters
    ----------
    logs : Path
        Airflow's log folder of the run; its last lines are the components' progress.
    """

    def __init__(self, screen: Screen, logs: Path, order: Sequence[str]) -> None:
        self._screen, self._logs, self._order = screen, logs, list(order)
        self._shown: dict[tuple[str, int], tuple[str, int]] = {}
        self._told = time.monotonic()

    def update(self, tasks: Iterable[TaskState]) -> None:
        """Show what has changed since the last look."""
        tasks = sorted(tasks, key=lambda t: (self._rank(t.task), t.map_index))
        for task in tasks:
            seen = (task.state or "", task.tries)
            known = self._shown.get((task.task, task.map_index))
            if task.state in MARKS and known != seen and not _passed_over(task):
                self._shown[task.task, task.map_index] = seen
                self._ended(task)
                self._told = time.monotonic()
        busy = [task for task in tasks if task.state in ("running", "queued", "scheduled")]
        words = "; ".join(self._doing(task) for task in busy if task.state == "running")
        if not words:
            words = f"{_name(busy[0])}: about to start" if busy else "waiting for the scheduler"
        self._screen.now(words)
        if not self._screen.terminal and time.monotonic() - self._told > HEARTBEAT:
            self._told = time.monotonic()
            self._screen.line(f"    … {words}")

    def _ended(self, task: TaskState) -> None:
        colour, mark = MARKS[task.state or ""]
        seconds = "" if task.seconds is None else f"{task.seconds:7.1f} s"
        note = "" if task.state == "success" else f"  {str(task.state).replace('_', ' ')}"
        if task.tries > 1:
            note += f", try {task.tries}"
        line = f"  {self._screen.paint(mark, colour)} {_name(task):<28}{seconds:>9}{note}"
        self._screen.line(line.rstrip())

    def _doing(self, task: TaskState) -> str:
        seconds = ""
        if task.started is not None:
            seconds = f", {max(0.0, time.time() - task.started.timestamp()):.0f} s"
        # "training linear: 40 %" says of the task "train linear" that it is at 40 %.
        said = self._last_words(task).rpartition(f"{task.label}: ")[2]
        return f"{_name(task)}{seconds}" + (f": {said}" if said else "")

    def _last_words(self, task: TaskState) -> str:
        folder = self._logs / f"task_id={task.task}"
        if task.map_index >= 0:
            folder = folder / f"map_index={task.map_index}"
        try:
            with (folder / f"attempt={task.tries}.log").open("rb") as file:
                file.seek(0, 2)
                file.seek(max(0, file.tell() - 8192))
                lines = file.read().decode(errors="replace").splitlines()
        except OSError:
            return ""
        for line in reversed(lines):
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            text = str(entry.get("event", ""))
            if str(entry.get("logger", "")).startswith("everfit.") and not FRAME.match(text):
                return text[:60]
        return ""

    def _rank(self, name: str) -> int:
        return self._order.index(name) if name in self._order else len(self._order)


def _passed_over(task: TaskState) -> bool:
    """Whether a task never ran, because one before it failed or was skipped."""
    return task.state == "upstream_failed" or (task.state == "skipped" and not task.seconds)


def _name(task: TaskState) -> str:
    if task.map_index < 0:
        return task.task
    # Airflow counts mapped tasks until the first has named itself.
    return f"{task.task} {task.label}" if task.label else f"{task.task} {task.map_index}"
