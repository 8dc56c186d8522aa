"""A request's body as it comes, and an answer as it goes: ASGI's messages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from everfit_docker_guard.refusal import Refused

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

SENDING = 60.0
"""Seconds for a client to send a body."""


class Left(Exception):
    """The client is gone."""


class Request:
    """A request's body."""

    def __init__(self, scope: Message, receive: Receive) -> None:
        self._receive = receive
        self.headers = {name.lower(): value for name, value in scope["headers"]}

    async def body(self, most: int) -> bytes:
        """All of it, up to a size."""
        too_large = Refused("body", f"a body has at most {most} bytes", status=413)
        length = self.headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > most:
            raise too_large
        read = bytearray()
        try:
            async with asyncio.timeout(SENDING):
                while True:
                    message = await self._receive()
                    if message["type"] == "http.disconnect":
                        raise Left
                    read += message.get("body", b"")
                    if len(read) > most:
                        raise too_large
                    if not message.get("more_body"):
                        return bytes(read)
        except TimeoutError:
            raise Refused("body", f"a body comes within {SENDING:g} s", status=408) from None

    async def left(self) -> None:
        """Come back when the client has gone; a body nobody asked for is not kept."""
        while (await self._receive())["type"] != "http.disconnect":
            pass


class Told:
    """What a client has been told so far."""

    def __init__(self, send: Send) -> None:
        self._send, self._begun = send, False

    async def __call__(self, message: Message) -> None:
        """Pass a message on, for what makes its own."""
        self._begun = True
        await self._send(message)

    async def begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Status and headers."""
        await self({"type": "http.response.start", "status": status, "headers": headers})

    async def more(self, piece: bytes) -> None:
        """A piece of the body."""
        await self({"type": "http.response.body", "body": piece, "more_body": True})

    async def end(self) -> None:
        """That it was all."""
        await self({"type": "http.response.body", "body": b"", "more_body": False})

    async def whole(self, status: int, body: bytes) -> None:
        """A JSON answer; nothing where one has begun, which is then cut off."""
        if self._begun:
            return
        length = str(len(body)).encode()
        await self.begin(
            status, [(b"content-type", b"application/json"), (b"content-length", length)]
        )
        await self({"type": "http.response.body", "body": body, "more_body": False})
