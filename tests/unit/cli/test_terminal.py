"""What reaches a person's screen: widths, colours, marks, and nothing that data smuggles in."""

from __future__ import annotations

import io
import json
import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everfit.cli.terminal import Terminal, printable

LONG = "Better than champion v1 by the required 0.0534: MAE 0.500 against 5.34 on 500 rows. " * 3


class FakeTerminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch):
    """Makes standard output and error a terminal 80 columns wide; called within the test."""

    def put() -> tuple[FakeTerminal, FakeTerminal]:
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.setenv("TERM", "xterm-256color")
        for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "TTY_COMPATIBLE"):
            monkeypatch.delenv(name, raising=False)
        out, err = FakeTerminal(), FakeTerminal()
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        return out, err

    return put


def plain(text: str) -> str:
    """The text without what moves cursors and sets colours."""
    from rich.text import Text

    return Text.from_ansi(text).plain


def test_elsewhere_than_in_a_terminal_a_sentence_stays_on_one_line(capsys, monkeypatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    Terminal().line(LONG)
    Terminal().facts([("because", LONG)])
    Terminal().table(("version", "reason"), [("v1", LONG)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == LONG
    assert lines[1] == f"  because         {LONG}".rstrip()
    assert lines[2:] == ["version  reason", f"v1       {LONG}".rstrip()]


@pytest.mark.parametrize("width", [80, 120])
def test_lines_facts_and_tables_wrap_at_the_width(width, screen, monkeypatch) -> None:
    out, _ = screen()
    monkeypatch.setenv("COLUMNS", str(width))
    terminal = Terminal()
    terminal.line(f"  ✓ {LONG}")
    terminal.facts([("because", LONG)])
    terminal.table(("version", "reason"), [("v1", LONG)])
    lines = plain(out.getvalue()).splitlines()
    assert max(map(len, lines)) <= width
    assert lines[1].startswith("    ")  # hangs below the text
    facts = next(n for n, line in enumerate(lines) if line.startswith("  because"))
    assert lines[facts + 1].startswith(" " * 18)
    words = " ".join(" ".join(lines).split())
    assert words.count(" ".join(LONG.split())) == 3


def test_a_table_too_wide_for_its_short_columns_loses_nothing(screen) -> None:
    out, _ = screen()
    row = tuple(letter * 30 for letter in "abcd")
    Terminal().table(("one", "two", "three", "four"), [row])
    text = plain(out.getvalue())
    assert max(map(len, text.splitlines())) <= 80
    assert [text.count(letter * 2) > 5 for letter in "abcd"] == [True] * 4
    for cell in row:
        assert sum(line.count(cell[0]) for line in text.splitlines()[1:]) == 30


def test_colour_is_for_terminals_without_no_color(screen, monkeypatch, capsys) -> None:
    out, _ = screen()
    Terminal().verdict("reject", "Worse.")
    assert "\x1b[31m" in out.getvalue()
    out.seek(0)
    out.truncate()
    monkeypatch.setenv("NO_COLOR", "1")
    Terminal().verdict("reject", "Worse.")
    assert out.getvalue() == "REJECT  Worse.\n"
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setenv("FORCE_COLOR", "1")
    Terminal().verdict("reject", "Worse.")
    assert sys.stdout.getvalue() == "REJECT  Worse.\n"


HOSTILE = (
    "[bold red]x[/] [link=http://e.vil]y[/link] :boom: "
    "\x1b[31mz\x1b]0;t\x07 \u202egpj.exe \x9b2J \udc80 \r\n"
)


@pytest.mark.parametrize("as_terminal", [True, False])
def test_data_is_written_as_it_is_and_moves_no_cursor(as_terminal, screen, monkeypatch) -> None:
    screen()
    if not as_terminal:
        monkeypatch.delenv("COLUMNS")
        monkeypatch.setattr(sys, "stdout", io.StringIO())
    terminal = Terminal()
    monkeypatch.setenv("NO_COLOR", "1")
    terminal.line(HOSTILE)
    terminal.facts([("name", HOSTILE)])
    terminal.table(("name", "other"), [(HOSTILE, "x")])
    text = sys.stdout.getvalue()
    assert not set(text) & set("\x1b\x07\x9b\u202e\udc80\r")
    whole = "".join(text.split())
    assert whole.count("[boldred]x[/][link=http://e.vil]y[/link]:boom:\\x1b[31mz") == 3


@given(st.text())
def test_any_text_is_one_line_that_nothing_can_escape_from(text: str) -> None:
    shown = printable(text)
    assert all(character == "\t" or ord(character) >= 32 for character in shown)
    assert not any(0x7F <= ord(character) <= 0x9F for character in shown)
    assert len(shown.splitlines()) <= 1


def test_json_is_all_there_is_on_standard_output(capsys) -> None:
    terminal = Terminal(as_json=True)
    terminal.line("for people")
    terminal.facts([("a", "b")])
    terminal.table(("a",), [("b",)])
    terminal.verdict("hold", "Undecided.")
    terminal.progress().update("work", 1, 2)
    terminal.document({"name": "ü \x9b \u202e \udc80", "score": 0.5})
    shown = capsys.readouterr()
    assert json.loads(shown.out) == {"name": "ü \x9b \u202e \udc80", "score": 0.5}
    assert not set(shown.out) & set("\x9b\u202e\udc80")
    assert shown.err == ""


def test_without_json_no_document_is_written(capsys) -> None:
    Terminal().document({"a": 1})
    assert capsys.readouterr().out == ""


def test_progress_is_a_line_for_every_tenth_where_there_is_no_terminal(capsys, monkeypatch) -> None:
    times = iter([0.0, *(10.0 + n for n in range(100))])
    monkeypatch.setattr("everfit.engine.progress.time.monotonic", lambda: next(times))
    progress = Terminal().progress()
    for done in range(0, 41):
        progress.update("reading", done, 40)
    shown = capsys.readouterr()
    assert shown.err.splitlines() == [f"  reading: {tenth}0 %" for tenth in range(1, 11)]
    assert shown.out == ""


def test_progress_is_a_bar_that_is_gone_when_something_is_written(screen, monkeypatch) -> None:
    out, err = screen()
    times = iter(float(n) for n in range(100))
    monkeypatch.setattr("everfit.cli.terminal.time.monotonic", lambda: next(times))
    terminal = Terminal()
    terminal.begin("train linear")
    assert "train linear" in plain(err.getvalue())
    terminal.progress().update("fitting [b]", 1, 4)
    drawn = err.getvalue()
    assert "fitting [b]" in plain(drawn) and "25%" in plain(drawn)
    terminal.line("done")
    assert plain(out.getvalue()) == "done\n"
    erased = err.getvalue()[len(drawn) :]
    assert erased.endswith("\x1b[1A\x1b[2K")
    terminal.close()


def test_a_dumb_terminal_gets_no_bar(screen, monkeypatch) -> None:
    out, err = screen()
    monkeypatch.setenv("TERM", "dumb")
    terminal = Terminal()
    terminal.begin("train")
    terminal.progress().update("fitting", 1, 4)
    terminal.line("done", style="good")
    assert (out.getvalue(), err.getvalue()) == ("done\n", "")


def test_the_width_is_the_terminal_s_where_columns_does_not_say(monkeypatch) -> None:
    from everfit.cli.terminal import lines_may_be

    monkeypatch.delenv("COLUMNS", raising=False)
    reader, writer = os.openpty()
    import fcntl
    import struct
    import termios

    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 97, 0, 0))
    with open(writer, "w") as stream:  # noqa: PTH123
        assert lines_may_be(stream) == 97
    os.close(reader)
    assert lines_may_be(io.StringIO()) is None
