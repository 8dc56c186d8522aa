"""The one process of a triggerer that looks at sources, in the components' environment.

It is started when first asked, started again when it has died, and ends with the triggerer: its
input then ends, and it watches its parent, so that not even a SIGKILL leaves it behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from everfit_airflow.child_environment import child_environment
from pipeline_components.contracts.settings import Settings, find_root

log = logging.getLogger(__name__)

PATIENCE = 300.0
"""Seconds for an answer; after that the process hangs, and a new one takes its place."""

HOLD_OFF = 60.0
"""Seconds at most between two starts of a process that keeps dying."""

_LONGEST = 8 << 20
"""Bytes of an answer."""


class ListerGone(Exception):
    """There is no answer, and will be none; the next request may have better luck."""


class Lister:
    """Asks the process; of one event loop, and safe to use by many tasks at once.

    Parameters
    ----------
    command : callable
        Gives the program with its arguments, and its whole environment; may raise ``ListerGone``.
    patience : float
        Seconds for an answer.
    """

    def __init__(
        self, command: Callable[[], tuple[Sequence[str], Mapping[str, str]]],
        patience: float = PATIENCE,
    ) -> None:  # fmt: skip
        self._command, self._patience = command, patience
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._starting = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._readers: tuple[asyncio.Task[None], ...] = ()
        self._deaths, self._not_before = 0, 0.0

    async def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request and wait for its answer.

        Raises
        ------
        ListerGone
            If the process cannot be started, dies or hangs.
        """
        process = await self._running()
        number = next(self._numbers)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            assert process.stdin is not None
            process.stdin.write(json.dumps({"id": number, **request}).encode() + b"\n")
            await process.stdin.drain()
            return await asyncio.wait_for(answer, self._patience)
        except TimeoutError:
            _kill(process)
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
        """The process at work, None where there is none."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()
            _kill(process)
            await asyncio.gather(*self._readers, return_exceptions=True)

    async def _running(self) -> asyncio.subprocess.Process:
        async with self._starting:
            process = self._process
            if process is not None and process.returncode is None and not self._readers[0].done():
                return process
            loop = asyncio.get_running_loop()
            if (wait := self._not_before - loop.time()) > 0:
                raise ListerGone(f"LISTER: it died just now, and is started in {wait:.0f} s.")
            command, environment = self._command()
            try:
                process = await asyncio.create_subprocess_exec(
                    *command, cwd="/", env=dict(environment), limit=_LONGEST,
                    stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                )  # fmt: skip
            except OSError as error:
                raise ListerGone(f"LISTER {command[0]}: must start; {error.strerror}.") from None
            self._process = process
            self._readers = (
                asyncio.create_task(self._read(process, loop.time()), name="everfit-lister"),
            )
            return process

    async def _read(self, process: asyncio.subprocess.Process, started: float) -> None:
        """Hand answers to who asked, until the process ends; then tell the rest."""
        assert process.stdout is not None and process.stderr is not None
        last = asyncio.create_task(_last_line(process.stderr))
        with contextlib.suppress(ConnectionError, ValueError):  # ValueError: too long a line
            while line := await process.stdout.readline():
                self._hand_over(line)
        _kill(process)
        code, words = await process.wait(), await last
        loop = asyncio.get_running_loop()
        self._deaths = 0 if loop.time() - started > HOLD_OFF else self._deaths + 1
        if self._deaths > 1:
            self._not_before = loop.time() + min(2.0**self._deaths, HOLD_OFF)
        if self._process is process:
            log.warning("The lister ended with code %s: %s", code, words or "it said nothing")
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ListerGone(f"LISTER: it must keep running; code {code}."))

    def _hand_over(self, line: bytes) -> None:
        try:
            reply = json.loads(line)
            answer = self._waiting.get(reply["id"])
        except (ValueError, TypeError, KeyError):
            log.warning("The lister said what is no answer")
            return
        if answer is not None and not answer.done():
            answer.set_result(reply)


async def _last_line(stream: asyncio.StreamReader) -> str:
    """Read to the end and keep the last line; what it holds is written by the lister alone."""
    kept = b""
    while piece := await stream.read(1 << 16):
        kept = (kept + piece)[-2000:]
    lines = kept.decode(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else ""


def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()


def components_lister() -> tuple[Sequence[str], Mapping[str, str]]:
    """The lister's program in the components' environment, and the environment it gets."""
    from everfit_airflow.failures import MendFirst
    from everfit_airflow.operator import door_program

    root = find_root(Path(__file__).resolve().parent)
    settings = Settings.from_environment({"EVERFIT_ROOT": str(root), **os.environ})
    try:
        python = door_program(settings.root, os.environ)[0]
    except MendFirst as error:  # made for a task, it would end the whole triggerer
        raise ListerGone(str(error)) from None
    return (
        (python, "-m", "pipeline_components.lister", "--parent", str(os.getpid())),
        child_environment(os.environ, str(settings.root), {}),
    )


_shared: dict[asyncio.AbstractEventLoop, Lister] = {}


def shared_lister() -> Lister:
    """The lister of the running event loop, which in a triggerer is the only one."""
    loop = asyncio.get_running_loop()
    if loop not in _shared:
        for other in [each for each in _shared if each.is_closed()]:
            del _shared[other]
        _shared[loop] = Lister(components_lister)
    return _shared[loop]
