"""What a command writes: lines and tables for people, or one JSON document for programs.

Standard output is the answer, standard error is progress and complaints. In a terminal, text is
wrapped to its width and coloured; elsewhere a sentence stays on one line, so that ``grep`` finds
it, unless ``COLUMNS`` says how wide lines may be. Whatever is written may come from data: control
characters are made visible, and nothing in it is read as markup.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from everfit.engine.progress import Progress

LAST = 20
"""Columns that a table leaves for its last one; where it cannot, all of them wrap."""

WIDEST = 10_000
"""Columns where nothing limits them."""

_TITLE = 14
"""Columns for the title of a fact, so that one list stands below another."""

STYLES = {"good": "green", "bad": "red", "unsure": "yellow", "dim": "dim", "strong": "bold"}
"""What a part of the text means, and how a terminal shows it."""

_MARKS = {"✓": "good", "✗": "bad", "≈": "unsure", "·": "dim", "!": "unsure"}
VERDICT_MARKS = {"promote": "✓", "hold": "!", "reject": "✗"}
"""What a verdict is marked with: ``✓`` never marks what prevents a promotion."""

_VERDICTS = {"promote": "good", "hold": "unsure", "reject": "bad"}
_MISLEADING = "\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_UNPRINTABLE = re.compile(f"[\x00-\x08\x0a-\x1f{_MISLEADING}]")
_UNWRITTEN = re.compile(f"[{_MISLEADING}]")
"""In JSON, whose writer has seen to the others."""


def printable(text: str) -> str:
    """The text on one line; a control character is written as Python writes it."""
    return _UNPRINTABLE.sub(lambda found: repr(found[0])[1:-1], text)


def lines_may_be(stream: TextIO) -> int | None:
    """Columns of a line; None where nothing limits them."""
    given = os.environ.get("COLUMNS", "")
    if given.isascii() and given.isdigit() and int(given) >= 20:
        return int(given)
    try:
        return os.get_terminal_size(stream.fileno()).columns or None if stream.isatty() else None
    except (OSError, ValueError):
        return None


class Terminal:
    """Where one command writes.

    Parameters
    ----------
    as_json : bool
        Only ``document`` writes to standard output.
    verbose : bool
        The log says what happens, so no bar is drawn.
    """

    def __init__(self, *, as_json: bool = False, verbose: bool = False) -> None:
        self.as_json = as_json
        self._verbose = verbose
        self._live: _Live | None = None

    def document(self, value: BaseModel | Any) -> None:
        """Write the answer for programs, where it is asked for as JSON."""
        if not self.as_json:
            return
        if not isinstance(value, (dict, list, str, int, float, bool, type(None))):
            value = value.model_dump(mode="json")
        text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
        text = _UNWRITTEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
        self._write(text + "\n")

    def line(self, text: str = "", style: str = "") -> None:
        """A line for people; what it is wrapped into is indented as it is, and two more."""
        if self.as_json:
            return
        self._quiet()
        text = printable(text)
        width = lines_may_be(sys.stdout)
        if width is None and not self._coloured(sys.stdout):
            self._write(text + "\n")
            return
        from rich.text import Text

        body = text.lstrip()
        indent = len(text) - len(body)
        shown = Text(body, STYLES.get(style, ""))
        if not style and body[:1] in _MARKS:
            shown.stylize(STYLES[_MARKS[body[0]]], 0, 1)
        console = self._console(sys.stdout)
        hang = 0 if len(text) <= console.width else indent + 2
        pieces = shown.wrap(console, max(console.width - max(hang, indent), 10))
        for number, piece in enumerate(pieces):
            piece.rstrip()
            console.print(Text(" " * (hang if number else indent)) + piece, soft_wrap=True)

    def verdict(self, verdict: str, because: str) -> None:
        """``PROMOTE  Surely better than …``, in the colour of the verdict."""
        self.line(f"{verdict.upper()}  {because}", style=_VERDICTS.get(verdict, "strong"))

    def facts(self, facts: Iterable[tuple[str, str]]) -> None:
        """Titles with what belongs to them, below each other; long texts hang beside the title."""
        rows = [("", title.ljust(_TITLE), text) for title, text in facts]
        self._columns([], rows, ())

    def table(
        self, titles: Sequence[str], rows: Iterable[Sequence[str]], right: Collection[str] = ()
    ) -> None:
        """A table without lines; where it is too wide, the last column wraps first.

        Parameters
        ----------
        right : collection of str
            Titles of the columns that stand at the right, as numbers do.
        """
        self._columns(titles, list(rows), right)

    def complain(self, line: str) -> None:
        """One line on standard error."""
        self._quiet()
        sys.stdout.flush()
        sys.stderr.write(printable(line) + "\n")
        sys.stderr.flush()

    def progress(self) -> Progress:
        """What long work reports to: a bar in a terminal, else a line for every tenth."""
        from everfit.engine.progress import LogProgress

        if self._verbose:
            return LogProgress()
        if not _draws(sys.stderr):
            return LogProgress(self._tenth)
        self._live = self._live or _Live(lambda: self._console(sys.stderr))
        return self._live

    def begin(self, what: str) -> None:
        """Show that this is being done, until something else is written."""
        if _draws(sys.stderr) and not self._verbose:
            self._live = self._live or _Live(lambda: self._console(sys.stderr))
            self._live.begin(what)

    def close(self) -> None:
        """Leave nothing half drawn."""
        self._quiet()
        sys.stdout.flush()

    def _columns(
        self, titles: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[str]
    ) -> None:
        if self.as_json or not rows:
            return
        from rich.table import Table
        from rich.text import Text

        table = Table(
            box=None, show_header=bool(titles), pad_edge=False, padding=(0, 2, 0, 0), expand=False
        )
        console, cells = self._console(sys.stdout), [list(map(_cell, row)) for row in rows]
        heads = [Text(title, "bold") for title in titles or [""] * len(rows[0])]
        columns = zip(heads, *cells, strict=True)
        widths = [max(text.cell_len for text in column) for column in columns]
        before = sum(widths[:-1]) + 2 * len(widths[:-1])
        fits = before + min(widths[-1], LAST) <= console.width
        for head in heads:
            table.add_column(
                head,
                justify="right" if head.plain in right else "left",
                no_wrap=fits and head is not heads[-1],
                overflow="fold",
            )
        for row in cells:
            table.add_row(*row)
        with console.capture() as captured:
            console.print(table, soft_wrap=False)
        for line in captured.get().splitlines():
            self._write(line.rstrip() + "\n")

    def _write(self, text: str) -> None:
        self._quiet()
        sys.stdout.write(text)

    def _tenth(self, text: str) -> None:
        sys.stderr.write(f"  {printable(text)}\n")
        sys.stderr.flush()

    def _quiet(self) -> None:
        if self._live is not None:
            self._live.stop()

    def _coloured(self, stream: TextIO) -> bool:
        return _draws(stream) and not os.environ.get("NO_COLOR")

    def _console(self, stream: TextIO) -> Console:
        from rich.console import Console

        coloured = self._coloured(stream)
        return Console(
            file=stream,
            width=lines_may_be(stream) or WIDEST,
            force_terminal=_draws(stream),
            color_system="auto" if coloured else None,
            no_color=not coloured,
            markup=False,
            emoji=False,
            highlight=False,
        )


def _draws(stream: TextIO) -> bool:
    """Whether the stream is a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")


def _cell(text: str) -> Text:
    from rich.text import Text

    shown = Text(printable(text))
    if text[:1] in _MARKS:
        shown.stylize(STYLES[_MARKS[text[0]]], 0, 1)
    return shown


class _Live:
    """A bar on standard error that is gone when it is done."""

    def __init__(self, console: Callable[[], Console]) -> None:
        self._console = console
        self._shown: Live | None = None
        self._step = ""
        self._last = -1.0

    def begin(self, what: str) -> None:
        """Show the name of what begins."""
        self._step = f"… {what}"
        self._draw(self._step)

    def update(self, what: str, done: float, total: float) -> None:
        """Redraw at most ten times a second."""
        now = time.monotonic()
        if now - self._last < 0.1 and done < total:
            return
        self._last = now
        if total > 0 and done < total:
            self._draw(what, done / total)
        elif self._step:
            self._draw(self._step)
        else:
            self.stop()

    def stop(self) -> None:
        """Take it away."""
        if self._shown is not None:
            self._shown.stop()
            self._shown = None

    def _draw(self, what: str, share: float | None = None) -> None:
        from rich.live import Live
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        row = Table.grid(padding=(0, 1))
        text = Text(printable(what), overflow="ellipsis", no_wrap=True)
        if share is None:
            row.add_row("", text)
        else:
            bar = ProgressBar(total=1.0, completed=share, width=24)
            row.add_row("", bar, f"{share:4.0%}", text)
        if self._shown is None:
            self._shown = Live(
                console=self._console(),
                transient=True,
                auto_refresh=False,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._shown.start()
        self._shown.update(row, refresh=True)


def set_log_level(verbose: bool) -> None:
    """Let the log say what each step does, or only what is wrong."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="  %(message)s")
    logging.getLogger("everfit").setLevel(logging.INFO if verbose else logging.ERROR)
