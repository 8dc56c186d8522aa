"""What looks at sources for a triggerer, in the components' environment.

By default one process of its own: started when first asked, started again when it has died, and
ending with the triggerer: its input then ends, and it watches its parent, so that not even a
SIGKILL leaves it behind. With ``EVERFIT_LISTER=host:port`` a service on a private network, which is
connected to anew when the connection is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from everfit_airflow.security.child_environment import child_environment
from everfit_airflow.settings_here import settings_here
from everfit_airflow.watching.lines import Line, ListerGone, Program, Service, Way

__all__ = ["Lister", "ListerGone", "components_lister", "service_lister", "shared_lister"]

log = logging.getLogger(__name__)

ADDRESS, TOKEN = "EVERFIT_LISTER", "EVERFIT_LISTER_TOKEN"

PATIENCE = 300.0
"""Seconds for an answer; after that it hangs, and a new one takes its place."""

HOLD_OFF = 60.0
"""Seconds at most between two starts of one that keeps dying, or cannot be reached."""


class Lister:
    """Asks the lister; of one event loop, and safe to use by many tasks at once.

    Parameters
    ----------
    way : callable
        Gives the way to it; may raise ``ListerGone``.
    patience : float
        Seconds for an answer.
    """

    def __init__(self, way: Callable[[], Way], patience: float = PATIENCE) -> None:
        self._way, self._patience = way, patience
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._starting = asyncio.Lock()
        self._line: Line | None = None
        self._reading: asyncio.Task[None] | None = None
        self._deaths, self._not_before = 0, 0.0

    async def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request and wait for its answer.

        Raises
        ------
        ListerGone
            If it cannot be started or reached, dies or hangs.
        """
        line = await self._running()
        number = next(self._numbers)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            line.writer.write(json.dumps({"id": number, **request}).encode() + b"\n")
            await line.writer.drain()
            return await asyncio.wait_for(answer, self._patience)
        except TimeoutError:
            line.cut()
            raise ListerGone(
                f"LISTER: an answer must come within {self._patience:g} s; none did. "
                "It is started anew."
            ) from None
        except (ConnectionError, RuntimeError) as error:
            raise ListerGone(f"LISTER: it must listen; {type(error).__name__}.") from None
        finally:
            self._waiting.pop(number, None)

    @property
    def pid(self) -> int | None:
        """The process at work, None where there is none, or a service instead."""
        return self._line.pid if self._line is not None else None

    async def close(self) -> None:
        """End the process or the connection."""
        line, self._line = self._line, None
        if line is not None:
            line.cut()
        if self._reading is not None:
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _running(self) -> Line:
        async with self._starting:
            line, reading = self._line, self._reading
            if line is not None and line.open() and reading is not None and not reading.done():
                return line
            loop = asyncio.get_running_loop()
            if (wait := self._not_before - loop.time()) > 0:
                raise ListerGone(f"LISTER: it died just now, and is started in {wait:.0f} s.")
            way = self._way()
            try:
                line = await way.open()
            except ListerGone:
                self._count_death()
                raise
            self._line = line
            self._reading = asyncio.create_task(
                self._read(line, loop.time()), name="everfit-lister"
            )
            return line

    async def _read(self, line: Line, started: float) -> None:
        """Hand answers to who asked, until they end; then tell the rest."""
        with contextlib.suppress(ConnectionError, ValueError):  # ValueError: too long a line
            while answer := await line.reader.readline():
                self._hand_over(answer)
        line.cut()
        how, words = await line.ending()
        if asyncio.get_running_loop().time() - started > HOLD_OFF:
            self._deaths = 0
        else:
            self._count_death()
        if self._line is line:
            log.warning("The lister ended with %s: %s", how, words or "it said nothing")
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ListerGone(f"LISTER: it must keep running; {how}."))

    def _count_death(self) -> None:
        self._deaths += 1
        if self._deaths > 1:
            now = asyncio.get_running_loop().time()
            self._not_before = now + min(2.0 ** min(self._deaths, 10), HOLD_OFF)

    def _hand_over(self, line: bytes) -> None:
        try:
            reply = json.loads(line)
            answer = self._waiting.get(reply["id"])
        except (ValueError, TypeError, KeyError):
            log.warning("The lister said what is no answer")
            return
        if answer is not None and not answer.done():
            answer.set_result(reply)


def components_lister() -> Program:
    """The lister's program in the components' environment, and the environment it gets."""
    from everfit_airflow.operators.failures import UserActionRequired
    from everfit_airflow.runners.choice import component_program

    settings = settings_here()
    try:
        python = component_program(settings.root, os.environ)[0]
    except UserActionRequired as error:  # made for a task, it would end the whole triggerer
        raise ListerGone(str(error)) from None
    return Program(
        (python, "-m", "everfit.data.listing", "--parent", str(os.getpid())),
        child_environment(os.environ, str(settings.root)),
    )


def service_lister(address: str) -> Service:
    """The service at ``host:port``, with the token it wants."""
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ListerGone(f"LISTER {ADDRESS}: must be host:port; it is {address!r}.")
    path = os.environ.get(TOKEN)
    if not path:
        return Service(host, int(port))
    found = "it is empty"
    try:
        if token := Path(path).read_text(encoding="utf-8").strip():
            return Service(host, int(port), token)
    except (OSError, UnicodeDecodeError) as error:
        found = type(error).__name__
    raise ListerGone(f"LISTER {TOKEN}: it must name a file with a token; {found}.")


def _way() -> Way:
    address = os.environ.get(ADDRESS)
    return service_lister(address) if address else components_lister()


_shared: dict[asyncio.AbstractEventLoop, Lister] = {}


def shared_lister() -> Lister:
    """The lister of the running event loop, which in a triggerer is the only one."""
    loop = asyncio.get_running_loop()
    if loop not in _shared:
        for other in [each for each in _shared if each.is_closed()]:
            del _shared[other]
        _shared[loop] = Lister(_way)
    return _shared[loop]
