"""A function in a forked child, stopped, refused or interrupted at its Nth outward act.

The child is forked from a process that has imported and computed everything before, so a point
costs what the function costs and no start of Python.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import sqlite3
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE", "CREATE", "ALTER", "DROP", "COMMIT", "RELEASE")
OF_FILES = frozenset(
    {"os.link", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.truncate"}
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT

Deed = Callable[[str], None]
"""What happens at the act, in the child, just before it; told the act's name."""


@dataclass(frozen=True)
class Ended:
    """How a child ended."""

    killed: bool
    code: int
    """Its exit code; -1 where it was killed."""
    acts: tuple[str, ...]
    """The acts it came to; empty where it was killed."""
    said: str
    """What it wrote to standard error."""


def killing(_: str) -> None:
    """As a power cut does: nothing more of this process."""
    os.kill(os.getpid(), signal.SIGKILL)


def refusing(number: int) -> Deed:
    """As a full or a write-protected disk does: the call fails with this error number."""

    def refuse(act: str) -> None:
        raise OSError(number, os.strerror(number), act)

    return refuse


full, read_only = refusing(errno.ENOSPC), refusing(errno.EROFS)


def in_child(
    function: Callable[[], Any],
    below: Path,
    *,
    at: int = 0,
    deed: Deed = killing,
    onwards: bool = False,
    only: tuple[str, ...] = ("",),
    before: Callable[[], None] = lambda: None,
    asked: Callable[[], None] = lambda: None,
) -> Ended:
    """Run ``function`` in a child, and do the deed at its ``at``-th act.

    Acts are SQL statements that write and commits (SQLite's and PostgreSQL's), files below the
    folder opened for writing, links, renames, removals and folders there, every sync, HTTP
    requests sent, and HTTP replies about to be read (by then the server has done what was asked).
    What happens in the process's own scratch folder is none: nobody else ever reads it.

    Parameters
    ----------
    below : Path
        The folder that outlives the process.
    at : int
        From 1; 0 for never.
    onwards : bool
        Do the deed at every later act too.
    only : tuple of str
        Count acts alone whose name begins with one of them.
    before : callable
        Run in the child first, before acts are counted.
    asked : callable
        Run in the parent whenever the child calls ``ask`` (see ``asking``).
    """
    with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as said:
        to_parent, to_child = os.pipe(), os.pipe()
        child = os.fork()
        if child == 0:
            os.close(to_parent[0])
            os.close(to_child[1])
            _ASK.extend((to_parent[1], to_child[0]))
            _be_the_child(function, below, at, deed, onwards, only, before, told, said)
        os.close(to_parent[1])
        os.close(to_child[0])
        while os.read(to_parent[0], 1):
            asked()
            os.write(to_child[1], b".")
        os.close(to_parent[0])
        os.close(to_child[1])
        status = os.waitpid(child, 0)[1]
        told.seek(0)
        said.seek(0)
        killed = os.WIFSIGNALED(status)
        return Ended(
            killed=killed,
            code=-1 if killed else os.WEXITSTATUS(status),
            acts=tuple(json.loads(told.read() or b"[]")),
            said=said.read().decode(errors="replace"),
        )


def racing(functions: Sequence[Callable[[], Any]], before: Callable[[], None]) -> list[Ended]:
    """Run each function in a child of its own, all let go at one moment."""
    gate = os.pipe()
    children = []
    for function in functions:
        said = tempfile.TemporaryFile()  # noqa: SIM115 (closed below)
        child = os.fork()
        if child == 0:
            code = 70
            try:
                os.dup2(said.fileno(), 2)
                sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
                logging.getLogger().handlers.clear()
                before()
                os.close(gate[1])
                os.read(gate[0], 1)
                code = _code_of(function())
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        children.append((child, said))
    for end in gate:
        os.close(end)
    ended = []
    for child, said in children:
        status = os.waitpid(child, 0)[1]
        said.seek(0)
        text = said.read().decode(errors="replace")
        said.close()
        ended.append(Ended(os.WIFSIGNALED(status), os.waitstatus_to_exitcode(status), (), text))
    return ended


_ASK: list[int] = []


def asking(_: str) -> None:
    """Have the parent do something, and go on when it is done."""
    os.write(_ASK[0], b"?")
    os.read(_ASK[1], 1)


def _be_the_child(
    function: Callable[[], Any],
    below: Path,
    at: int,
    deed: Deed,
    onwards: bool,
    only: tuple[str, ...],
    before: Callable[[], None],
    told: Any,
    said: Any,
) -> None:
    code = 70
    try:
        os.dup2(said.fileno(), 2)
        sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
        logging.getLogger().handlers.clear()
        before()
        acts: list[str] = []
        doing = False

        def act(name: str) -> None:
            nonlocal doing
            if doing or not name.startswith(only):
                return
            acts.append(name)
            if at and (len(acts) == at or (onwards and len(acts) > at)):
                doing = True
                try:
                    deed(name)
                finally:
                    doing = False

        _watch(act, str(below))
        code = _code_of(function())
        doing = True
        told.write(json.dumps(acts).encode())
        told.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _code_of(result: object) -> int:
    """The exit code where the function gave one; whatever else it returned is success."""
    return result if isinstance(result, int) else 0


def _watch(act: Callable[[str], None], below: str) -> None:
    """Have every act from now on announced; there is no way back, so in a child only."""

    def heard(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & WRITING and _is_below(path, below):
                act(f"open {_shown(path, below)}")
        elif event in OF_FILES:
            if any(_is_below(path, below) for path in arguments[:2]):
                act(f"{event} {_shown(arguments[0], below)}")
        elif event == "http.client.send":
            act("http send")

    import http.client

    begin = http.client.HTTPResponse.begin

    def reply(self: http.client.HTTPResponse) -> None:
        act("http reply")
        begin(self)

    http.client.HTTPResponse.begin = reply  # type: ignore[method-assign]

    def sync(_: int) -> None:
        # Announced, not done: a killed process loses nothing that the kernel has.
        act("fsync")

    os.fsync = sync  # type: ignore[assignment]
    connect = sqlite3.connect
    last = ""

    def said(sql: str) -> None:
        """The rows of one ``executemany`` are one act."""
        nonlocal last
        text = " ".join(sql.split())[:60]
        verb = text[:40]
        if text.upper().startswith(WRITES) and verb != last:
            act(f"sql {text}")
        last = verb

    def traced(*arguments: Any, **more: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **more)
        connection.set_trace_callback(said)
        return connection

    sqlite3.connect = traced  # type: ignore[assignment]

    from sqlalchemy import Engine, event

    def executes(_: Any, __: Any, sql: str, *___: Any) -> None:
        text = " ".join(sql.split())[:60]
        if text.upper().startswith(WRITES):
            act(f"sql {text}")

    event.listen(Engine, "before_cursor_execute", executes)
    event.listen(Engine, "commit", lambda _: act("sql COMMIT"))
    sys.addaudithook(heard)


def _is_below(path: object, below: str) -> bool:
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    return isinstance(path, str | os.PathLike) and str(path).startswith(below)


def _shown(path: object, below: str) -> str:
    """A path without its random parts."""
    text = os.fsdecode(path) if isinstance(path, bytes) else str(path)
    return text.removeprefix(below).lstrip("/")[:60]
