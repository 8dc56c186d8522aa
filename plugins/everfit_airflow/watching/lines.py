"""Two ways to a lister: a process of one's own, or a service of the stack."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

log = logging.getLogger(__name__)

CONNECT = 10.0
"""Seconds for a service to take a connection, and to let one in."""

_LONGEST = 8 << 20
"""Bytes of an answer."""


class ListerGone(Exception):
    """There is no answer, and will be none; the next request may have better luck."""


class Line(Protocol):
    """An open line to a lister."""

    @property
    def reader(self) -> asyncio.StreamReader:
        """What it answers."""

    @property
    def writer(self) -> asyncio.StreamWriter:
        """What it is asked."""

    @property
    def pid(self) -> int | None:
        """Its process, where it is one of ours and runs."""

    def open(self) -> bool:
        """Whether it can still be asked."""

    def cut(self) -> None:
        """End it at once."""

    async def ending(self) -> tuple[str, str]:
        """How and with which words it ended; after its answers have ended."""


class Way(Protocol):
    """How to come to a lister."""

    async def open(self) -> Line:
        """Open a line.

        Raises
        ------
        ListerGone
            If there is no such program or service, or it lets nobody in.
        """


@dataclass(frozen=True)
class Program:
    """A program to start."""

    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    """Its whole environment."""

    async def open(self) -> Line:
        """Start it."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self.command,
                cwd="/",
                env=dict(self.environment),
                limit=_LONGEST,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            raise ListerGone(f"LISTER {self.command[0]}: must start; {error.strerror}.") from None
        return _Process(process)


class _Process:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin and process.stdout and process.stderr
        self._process, self.reader, self.writer = process, process.stdout, process.stdin
        self._last = asyncio.create_task(_last_line(process.stderr))

    @property
    def pid(self) -> int | None:
        return self._process.pid if self.open() else None

    def open(self) -> bool:
        return self._process.returncode is None

    def cut(self) -> None:
        self.writer.close()
        if self.open():
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def ending(self) -> tuple[str, str]:
        return f"code {await self._process.wait()}", await self._last


@dataclass(frozen=True)
class Service:
    """A service that listens on a private network."""

    host: str
    port: int
    token: str = field(default="", repr=False)

    async def open(self) -> Line:
        """Connect, and say the token where there is one."""
        where = f"LISTER {self.host}:{self.port}"
        try:
            async with asyncio.timeout(CONNECT):
                reader, writer = await asyncio.open_connection(self.host, self.port, limit=_LONGEST)
                try:
                    refusal = await self._enter(reader, writer)
                except BaseException:
                    writer.close()
                    raise
        except TimeoutError:
            raise ListerGone(f"{where}: must answer; it did not in {CONNECT:g} s.") from None
        except (OSError, ValueError) as error:
            found = getattr(error, "strerror", None) or type(error).__name__
            raise ListerGone(f"{where}: must be reached; {found}.") from None
        if refusal:
            writer.close()
            raise ListerGone(refusal)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return _Connection(reader, writer, f"{self.host}:{self.port} closed it")

    async def _enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        """Say the token; the line that refuses it, or nothing."""
        if not self.token:
            return ""
        writer.write(json.dumps({"id": 0, "do": "enter", "token": self.token}).encode() + b"\n")
        await writer.drain()
        reply = json.loads(await reader.readline())
        return str(reply.get("error", "")) if isinstance(reply, dict) else ""


class _Connection:
    pid = None

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, words: str
    ) -> None:
        self.reader, self.writer, self._words = reader, writer, words

    def open(self) -> bool:
        return not self.writer.is_closing()

    def cut(self) -> None:
        self.writer.close()

    async def ending(self) -> tuple[str, str]:
        return "its connection", self._words


async def _last_line(stream: asyncio.StreamReader) -> str:
    """Read to the end and keep the last line; what it holds is written by the lister alone."""
    kept = b""
    while piece := await stream.read(1 << 16):
        kept = (kept + piece)[-2000:]
    lines = kept.decode(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else ""
