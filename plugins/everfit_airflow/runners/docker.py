"""A component as a container of a Docker engine.

The container is named after the task, so a retry finds what an earlier try has left: one that still
carries out the same order is followed, one that has done so is asked for its outcome, any other is
removed. A file in it says whose it is: a try that another has taken it from harms it no more.
"""

from __future__ import annotations

import contextlib
import logging
import secrets as random
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from everfit.contracts.errors import (
    EXIT_DONE,
    EXIT_NOTHING_TO_DO,
    EXIT_USER,
    EverfitError,
    Unavailable,
    UserError,
)
from everfit.contracts.runners import Place
from everfit_airflow.runners import Ending, Task
from everfit_airflow.runners.docker_container import (
    LABEL,
    LARGEST,
    OUTCOME,
    OWNER,
    body,
    digest,
    given,
    taken,
)
from everfit_airflow.runners.docker_engine import Engine, Gone, Lost, Taken, answering
from everfit_airflow.runners.docker_logs import Lines
from everfit_airflow.runners.reap import reap

log = logging.getLogger(__name__)

GRACE = 3.0
"""Seconds between asking a component to end and ending it: Airflow gives a task five in all."""

PATIENCE = 120.0
"""Seconds to wait for an engine, or the guard before it, that went away while a component runs."""

STARTING = 15.0
"""Seconds after which whoever made a container, and did not start it, is taken for dead."""


class DockerRunner:
    """Runs one component in one container.

    Parameters
    ----------
    place : Place
        Image and limits.
    task : Task
        Whose container it is.
    networks : sequence of str
        What it reaches; none: no network at all.
    """

    def __init__(self, place: Place, task: Task, networks: Sequence[str]) -> None:
        self._place, self._task, self._networks = place, task, tuple(networks)
        self._owner = random.token_hex(8)
        self._container: str | None = None
        self._stopped = False

    def run(
        self,
        order: bytes,
        environment: Mapping[str, str],
        secrets: Mapping[str, str],
        log: Callable[[str], None],
        remember: Callable[[dict[str, Any]], None],
    ) -> Ending:
        """See ``Runner.run``.

        Raises
        ------
        UserError
            If a person must fix the runners file, an image or the engine.
        Unavailable
            If another try may cure it. Where the engine does not answer, the container works on,
            and the next try finds it.
        """
        lines = Lines(log)
        if self._stopped:
            return Ending(-signal.SIGTERM, None, "stopped before it was started")
        with Engine() as engine, answering(engine):
            try:
                container = self._ready(engine, order, {**environment, **secrets}, log)
                remember({"runner": "docker", "container": self._task.name, "engine": engine.where})
                return self._ending(
                    engine, container, self._follow(engine, container, lines), lines
                )
            except (Gone, Taken) as error:
                if self._stopped:
                    return Ending(-signal.SIGTERM, None, lines.last or "stopped")
                raise Unavailable(
                    "DOCKER-GONE",
                    self._task.name,
                    "a container must be left to its task",
                    "somebody removed it while it worked",
                    "Leave what is labelled io.everfit.task",
                ) from error

    def stop(self) -> None:
        """Ask the component to end, end it, and remove the container."""
        self._stopped = True
        container = self._container
        if container is None:
            return
        try:
            # A connection of its own: this may be a signal handler, in the midst of a call.
            with Engine() as engine, answering(engine):
                if self._is_mine(engine, container):
                    _end(engine, container)
        except (EverfitError, Gone, Taken) as error:
            log.warning("Container %s could not be ended: %s", self._task.name, error)

    def fence(self, remembered: Mapping[str, Any]) -> str | None:
        """End what an earlier try left, where this one does not run on an engine."""
        name = str(remembered.get("container") or "")
        if not name:
            return None
        with Engine() as engine, answering(engine):
            if engine.describe(name) is None:
                return None
            _end(engine, name)
        return f"Removed container {name}, which an earlier try had left."

    def _ready(
        self,
        engine: Engine,
        order: bytes,
        environment: Mapping[str, str],
        log: Callable[[str], None],
    ) -> str:
        """A container that carries out the order: found, or made and started."""
        image = self._image(engine, log)
        name, waited = self._task.name, 0.0
        while True:
            left = engine.describe(name)
            if left is None:
                with contextlib.suppress(Taken):  # another try of this task was faster
                    return self._start(engine, order, environment, image)
                time.sleep(0.1)
                continue
            container, state = str(left["Id"]), left["State"]
            same = _is_same(left, order, image)
            if same and (state["Running"] or _has_done(engine, left)):
                self._container = container
                engine.put(container, taken(self._owner))
                log(f"Took over container {name}, which an earlier try had started.")
                return container
            if same and state["Status"] == "created" and waited < STARTING:
                waited += 0.5
                time.sleep(0.5)
                continue
            engine.remove(container)
            log(f"Removed container {name}, which an earlier try had left.")

    def _start(
        self, engine: Engine, order: bytes, environment: Mapping[str, str], image: Mapping[str, Any]
    ) -> str:
        made = body(self._task, self._place, self._networks, order, image, environment)
        container = self._container = engine.create(self._task.name, made)
        try:
            for network in self._networks[1:]:
                engine.connect(network, container)
            engine.put(container, given(order, self._owner, made["User"]))
            if not self._stopped:  # asked while it was being made
                engine.start(container)
                return container
        except (EverfitError, Lost):
            with contextlib.suppress(EverfitError, Lost):
                engine.remove(container)
            raise
        engine.remove(container)
        raise Gone

    def _image(self, engine: Engine, log: Callable[[str], None]) -> dict[str, Any]:
        """The image as the engine has it, fetched where it is to be."""
        name, pull = self._place.image, self._place.pull
        found = engine.image(name) if pull != "always" else None
        if found is None and pull != "never":
            log(f"Pulling {name}.")
            engine.pull(name)
            found = engine.image(name)
        if found is None:
            raise UserError(
                "DOCKER-IMAGE",
                name,
                "an image that is never pulled must be there",
                "the engine has none of that name",
                "Build it with make images, load it, or correct image or pull in the runners file",
            )
        return found

    def _follow(self, engine: Engine, container: str, lines: Lines) -> Mapping[str, Any]:
        """Hand on its lines until it has ended; gives its state then."""
        pause, state = 0.05, None
        while True:
            told, whole = lines.count, True
            try:
                engine.follow(container, lines)
            except Lost:
                whole = False
            if whole and state is not None and not state["Running"]:
                lines.finish()
                return state
            # Asked once more after it ended: an engine may let a reader go before the last lines.
            state = self._state(engine, container)
            if state["Running"]:
                pause = 0.05 if lines.count > told else min(2 * pause, 1.0)
                time.sleep(pause)

    def _state(self, engine: Engine, container: str) -> Mapping[str, Any]:
        """Its state; of an engine that went away, once it is back."""
        deadline, told = time.monotonic() + PATIENCE, False
        while True:
            try:
                found = engine.describe(container)
            except Lost as error:
                if time.monotonic() > deadline or self._stopped:
                    raise
                if not told:
                    log.warning("%s does not answer: %s. Tried again.", engine.where, error)
                    told = True
                time.sleep(1)
                continue
            if found is None:
                raise Gone
            state: Mapping[str, Any] = found["State"]
            return state

    def _ending(
        self, engine: Engine, container: str, state: Mapping[str, Any], lines: Lines
    ) -> Ending:
        """How it ended; the container is removed."""
        code = int(state["ExitCode"])
        try:
            outcome = engine.get(container, OUTCOME) if code in _WITH_OUTCOME else None
        except ValueError as error:
            raise UserError(
                "OUTCOME",
                self._task.component,
                f"an outcome has at most {LARGEST >> 10} KiB",
                "it left a larger one",
                "Keep what is large in the store",
            ) from error
        finally:
            if self._is_mine(engine, container):
                engine.remove(container)
        reap(engine)
        if self._stopped and code not in _WITH_OUTCOME:
            return Ending(-signal.SIGTERM, None, lines.last or "stopped")
        short = bool(state.get("OOMKilled")) and code not in (*_WITH_OUTCOME, EXIT_USER)
        return Ending(128 - code if 128 < code < 193 else code, outcome, lines.last, short)

    def _is_mine(self, engine: Engine, container: str) -> bool:
        """Whether no later try has taken it over."""
        return engine.get(container, OWNER) in (None, self._owner.encode())


_WITH_OUTCOME = (EXIT_DONE, EXIT_NOTHING_TO_DO)


def _is_same(left: Mapping[str, Any], order: bytes, image: Mapping[str, Any]) -> bool:
    """Whether a container carries out this order with this image."""
    labels = left["Config"]["Labels"] or {}
    return (labels.get(f"{LABEL}order"), labels.get(f"{LABEL}image")) == (
        digest(order),
        image["Id"],
    )


def _has_done(engine: Engine, left: Mapping[str, Any]) -> bool:
    """Whether a container has carried its order out."""
    state = left["State"]
    if state["Status"] != "exited" or state["ExitCode"] not in _WITH_OUTCOME:
        return False
    with contextlib.suppress(ValueError):
        return engine.get(left["Id"], OUTCOME) is not None
    return False


def _end(engine: Engine, container: str) -> None:
    """Ask a container to end, wait a little, end it and take it away."""
    engine.signal(container, "SIGTERM")
    deadline = time.monotonic() + GRACE
    while time.monotonic() < deadline:
        found = engine.describe(container)
        if found is None or not found["State"]["Running"]:
            break
        time.sleep(0.1)
    engine.remove(container)
