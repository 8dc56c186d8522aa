"""What a container logs, line by line as it comes, without loss where the connection breaks."""

from __future__ import annotations

import struct
from calendar import timegm
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Protocol

HEADER = 8
LONGEST = 64 * 1024
"""Bytes of a line; what is longer is told in pieces."""


class Readable(Protocol):
    """A stream of bytes."""

    def read(self, amount: int, /) -> bytes:
        """At most so many; fewer at the end alone."""


class Lines:
    """Puts the engine's frames together to lines.

    Each frame holds one message of stdout or stderr, which is a line or a piece of a long one, with
    the time before it. Within each of the two times only grow; by them the stream is taken up again
    where it broke off.

    Parameters
    ----------
    log : callable
        Gets each line.
    """

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._pieces: dict[int, bytes] = {}
        self._until: dict[int, str] = {}
        self.last = ""
        self.count = 0

    @property
    def since(self) -> str | None:
        """From when on to ask for more: seconds with nanoseconds; None from the beginning."""
        if not self._until:
            return None
        whole, _, fraction = min(self._until.values()).rstrip("Z").partition(".")
        seconds = timegm(datetime.fromisoformat(whole).timetuple())
        return f"{seconds}.{fraction or 0}"

    def read(self, stream: Readable) -> None:
        """Hand on every line until the stream ends."""
        seen = dict(self._until)  # told already, by a stream that broke
        for channel, message in frames(stream):
            when, _, rest = message.partition(b" ")
            time = when.decode("ascii", "replace")
            if time <= seen.get(channel, ""):
                continue
            self._until[channel] = time
            self._take(channel, rest)

    def finish(self) -> None:
        """Hand on what came without an end of line."""
        for channel in sorted(self._pieces):
            self._tell(self._pieces.pop(channel))

    def _take(self, channel: int, piece: bytes) -> None:
        *whole, rest = (self._pieces.pop(channel, b"") + piece).split(b"\n")
        for line in whole:
            self._tell(line)
        if len(rest) > LONGEST:
            self._tell(rest)
        elif rest:
            self._pieces[channel] = rest

    def _tell(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip()
        if text:
            self.count += 1
            self.last = text
            self._log(text)


def frames(stream: Readable) -> Iterator[tuple[int, bytes]]:
    """The messages of a stream that carries stdout and stderr: 1 or 2, and the bytes.

    Of one that breaks off, the whole ones.
    """
    while len(header := stream.read(HEADER)) == HEADER:
        channel, length = struct.unpack(">BxxxL", header)
        message = stream.read(length) if length else b""
        if len(message) < length:
            return
        yield channel, message
