"""The lister as a service on a private network: many triggerers, the same lines over TCP.

What comes with a request may hold a connection's password, and nothing here is encrypted: only the
network of the stack may reach the port, and where ``EVERFIT_LISTER_TOKEN`` names a file, only who
knows what it holds is answered. A line ``{"id", "do": "ping"}`` is answered to everybody.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import logging
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from everfit.contracts.errors import UserError
from everfit.contracts.settings import Settings
from everfit.data.listing.answers import LOOKING, WAITING, answer

CLIENTS = 64
"""Connections in one moment; a further one is closed at once."""

AT_ONCE = 1000
"""Requests of one connection under way; the next is read when one of them is answered."""

LONGEST = 1 << 20
"""Bytes of a request; a longer one ends its connection."""

ENTERING = 10.0
"""Seconds for a connection to say the token; one that does not is closed."""

log = logging.getLogger(__name__)


class Service:
    """Answers every connection's lines, each as soon as it is done.

    Parameters
    ----------
    settings : Settings
        Of this machine: ``{data}`` and credentials are the service's own.
    token : str
        What a connection must say first; empty: nothing.
    """

    def __init__(self, settings: Settings, token: str = "") -> None:
        self._settings, self._token = settings, token
        self._looking = ThreadPoolExecutor(LOOKING, "look")
        self._waiting = ThreadPoolExecutor(WAITING, "wait")
        self._clients = 0

    async def start(self, host: str, port: int) -> asyncio.Server:
        """Listen; port 0 is a free one."""
        return await asyncio.start_server(self._serve, host, port, limit=LONGEST)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        try:
            if self._clients <= CLIENTS:
                # ValueError: too long a line; TimeoutError: no token.
                with contextlib.suppress(ConnectionError, ValueError, TimeoutError):
                    await self._converse(reader, writer)
            else:
                log.warning("More than %s connections: one is closed", CLIENTS)
        finally:
            self._clients -= 1
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        alive = writer.get_extra_info("socket")
        alive.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        room = asyncio.Semaphore(AT_ONCE)
        under_way: set[asyncio.Task[None]] = set()
        entered = not self._token
        try:
            while line := await asyncio.wait_for(reader.readline(), None if entered else ENTERING):
                request = _read(line)
                what = request.get("do") if isinstance(request, dict) else None
                if what == "enter":
                    entered = entered or _same(request.get("token"), self._token)
                if not entered and what != "ping":
                    await _write(writer, _refused(request))
                    return
                if what in ("ping", "enter"):
                    await _write(writer, {"id": request.get("id"), "state": "listening"})
                elif line.strip():
                    await room.acquire()
                    task = asyncio.create_task(self._answer(request, writer, room))
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)
        finally:
            for task in under_way:
                task.cancel()

    async def _answer(
        self, request: Any, writer: asyncio.StreamWriter, room: asyncio.Semaphore
    ) -> None:
        waits = isinstance(request, dict) and request.get("do") == "receive"
        pool = self._waiting if waits else self._looking
        loop = asyncio.get_running_loop()
        try:
            reply = await loop.run_in_executor(pool, answer, request, self._settings)
            with contextlib.suppress(ConnectionError):
                await _write(writer, reply)
        finally:
            room.release()


def listen(address: str, settings: Settings) -> None:
    """Serve until the process is ended.

    Raises
    ------
    UserError
        If the address is none, or the token's file cannot be read.
    OSError
        If the address cannot be had.
    """
    logging.getLogger("everfit.data.listing").setLevel(logging.INFO)
    host, port = split_address(address)
    service = Service(settings, read_token())

    async def serve() -> None:
        server = await service.start(host, port)
        shown = ", ".join("{}:{}".format(*made.getsockname()[:2]) for made in server.sockets)
        log.info("The lister listens on %s", shown)
        await server.serve_forever()

    asyncio.run(serve())


def ping(address: str) -> bool:
    """Whether a service answers there, within ten seconds."""
    host, port = split_address(address)
    try:
        with socket.create_connection((host or "127.0.0.1", port), 10) as line:
            line.sendall(b'{"id": 1, "do": "ping"}\n')
            return b'"listening"' in line.makefile("rb").readline()
    except OSError:
        return False


def split_address(address: str) -> tuple[str, int]:
    """Host and port of ``host:port`` or ``[::1]:port``.

    Raises
    ------
    UserError
        If it is none.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise UserError(
            "LISTER-ADDRESS",
            "--listen",
            "an address is HOST:PORT",
            f"it is {address!r}",
            "Write it like 0.0.0.0:8790",
        )
    return host.removeprefix("[").removesuffix("]"), int(port)


def read_token() -> str:
    """What ``EVERFIT_LISTER_TOKEN``'s file holds; empty where there is no such setting.

    Raises
    ------
    UserError
        If it cannot be read, or holds nothing: without a token nobody would be let in.
    """
    path = os.environ.get("EVERFIT_LISTER_TOKEN")
    if not path:
        return ""
    found = "it is empty"
    try:
        if token := Path(path).read_text(encoding="utf-8").strip():
            return token
    except (OSError, UnicodeDecodeError) as error:
        found = type(error).__name__
    raise UserError(
        "LISTER-TOKEN",
        "EVERFIT_LISTER_TOKEN",
        "it names a file with a token",
        found,
        "Write one into it, the same for the lister and the triggerer",
    )


def _read(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _same(said: Any, token: str) -> bool:
    return isinstance(said, str) and hmac.compare_digest(said.encode(), token.encode())


def _refused(request: Any) -> dict[str, Any]:
    number = request.get("id") if isinstance(request, dict) else None
    text = "LISTER-TOKEN: who asks must say the token first; it was not said, or another. "
    return {
        "id": number,
        "error": text + "Give both sides one EVERFIT_LISTER_TOKEN.",
        "code": "LISTER-TOKEN",
        "retry": False,
    }


async def _write(writer: asyncio.StreamWriter, value: dict[str, Any]) -> None:
    writer.write(json.dumps(value).encode() + b"\n")
    await writer.drain()
