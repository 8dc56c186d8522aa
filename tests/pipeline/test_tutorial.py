"""Every block of the tutorial is run, in order, and prints what the page says."""

from __future__ import annotations

import ast
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[2] / "docs" / "tutorial"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str) -> list[tuple[str, str]]:
    """Language and text of each block of a page."""
    return [(match[1], match[2]) for match in BLOCK.finditer((PAGES / page).read_text())]


def commands(console: str) -> Iterator[tuple[str, str]]:
    """Each command of a block, and what the page shows of its output."""
    for part in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


def agrees(found: str, shown: str) -> bool:
    """Whether the output is what is shown; ``…`` is anything, alone on a line any lines."""
    lines = [".*".join(map(re.escape, line.split("…"))) + "\n" for line in shown.splitlines()]
    pattern = "".join("(?:.*\n)*" if line == ".*\n" else line for line in lines)
    return re.fullmatch(pattern, re.sub(r" +$", "", found, flags=re.MULTILINE)) is not None


def test_what_is_left_out_of_a_page_may_be_anything_and_nothing_else() -> None:
    assert agrees("a 12 c\nx\ny\nend\n", "a … c\n…\nend\n")
    assert not agrees("a 12 d\nend\n", "a … c\nend\n")
    assert not agrees("a\nb\n", "a\n")


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    opened = Shell(tmp_path)
    yield opened
    for process in opened.running:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate()


class Shell:
    """A terminal in an empty folder, where ``everfit`` is installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        bin_ = Path(sys.executable).parent
        self.env = {"PATH": f"{bin_}:/usr/bin:/bin", "HOME": str(folder), "LANG": "C.UTF-8"}
        self.running: list[subprocess.Popen[str]] = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = str(free.getsockname()[1])

    def check(self, command: str, shown: str) -> None:
        """Run a command to its end, or with ``&`` until it has said what is shown."""
        shown = shown.replace("8000", self.port)
        command = command.replace("localhost:8000", f"127.0.0.1:{self.port}")
        if command.endswith(" &"):
            found = self.begin(f"exec {command[:-2]} --port {self.port}", len(shown.splitlines()))
        else:
            done = subprocess.run(
                command,
                shell=True,
                cwd=self.folder,
                env=self.env,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, (command, done.stdout, done.stderr)
            found = done.stdout if done.stdout.endswith("\n") else f"{done.stdout}\n" * bool(shown)
        assert agrees(found, shown), f"$ {command}\n{found}\ninstead of\n{shown}"

    def begin(self, command: str, lines: int) -> str:
        """Start what goes on, and give its first lines."""
        process = subprocess.Popen(
            command,
            shell=True,
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.running.append(process)
        assert process.stdout is not None
        return "".join(process.stdout.readline() for _ in range(lines))


@pytest.mark.thorough
def test_your_own_table(shell: Shell) -> None:
    for language, text in blocks("your-own-table.md"):
        if language == "python":
            (shell.folder / "months.py").write_text(text)
            continue
        for command, shown in commands(text):
            if not command.startswith("pip "):
                shell.check(command, shown)


# MLflow's own store, on the SQLAlchemy that is pinned here.
@pytest.mark.filterwarnings("ignore:The ``noload``:DeprecationWarning")
def test_from_a_notebook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in os.environ if name.startswith("EVERFIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    found = ""
    for language, text in blocks("from-a-notebook.md"):
        if language == "python":
            found = cell(text, names, capsys)
        else:
            assert agrees(found, text), found


def cell(text: str, names: dict[str, object], capsys: pytest.CaptureFixture[str]) -> str:
    """What a notebook shows below a cell: what it printed, and its last expression."""
    tree, shown = ast.parse(text), ""
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    if isinstance(last, ast.Expr):
        value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
        shown = "" if value is None else f"{value!r}\n"
    return capsys.readouterr().out + shown
