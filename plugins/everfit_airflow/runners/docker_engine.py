"""The calls of a Docker engine that the runner makes, and what their failures mean for a person.

Through a guard the same calls reach the engine; it answers 403 to all others.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from everfit.contracts.errors import Unavailable, UserError
from everfit_airflow.runners.docker_container import FOLDER, LABEL, content
from everfit_airflow.runners.docker_logs import Lines

QUIET = 60.0
"""Seconds without a line after which the connection is made anew: nobody tells of a broken one."""

TIMEOUT = 60
"""Seconds for an answer."""

TOKEN = "EVERFIT_GUARD_TOKEN"  # noqa: S105
"""The setting that names a file with the token for a guard."""

NO_SUCH_IMAGE = re.compile(r"manifest unknown|not found|denied|unauthorized|no basic auth", re.I)
"""How a registry says that asking again is no use."""

Answer = TypeVar("Answer")


class Gone(Exception):
    """There is no such container, or it is about to be removed."""


class Taken(Exception):
    """There is a container of that name."""


class Lost(Exception):
    """The engine does not answer; it may come back."""


class Engine:
    """One engine: that of ``DOCKER_HOST``, else this machine's.

    Raises
    ------
    Unavailable
        If it does not answer.
    UserError
        Of each call, if the engine refuses what it is asked for; if there is to be a token and it
        cannot be read.
    """

    def __init__(self) -> None:
        import docker  # type: ignore[import-untyped]

        self.where = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
        try:
            self._api = _client(docker, guard_token(os.environ))
        except (docker.errors.DockerException, OSError, ValueError) as error:
            if getattr(error.__cause__ or error.__context__, "status_code", None) in (401, 403):
                raise self._refused(
                    _reason(error.__cause__ or error.__context__ or error)
                ) from None
            raise self.unavailable(_reason(error)) from error

    def close(self) -> None:
        """Let go of the connections."""
        self._api.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def image(self, name: str) -> dict[str, Any] | None:
        """An image as the engine describes it; None where it has none of that name."""
        try:
            return dict(self._call(self._api.inspect_image, name))
        except Gone:
            return None

    def pull(self, name: str) -> None:
        """Fetch an image."""
        refused, why = False, None
        try:
            for step in self._api.pull(name, stream=True, decode=True):
                why = step.get("error") or why
        except OSError as error:  # what requests and the SDK raise
            answer = getattr(error, "response", None)
            refused = getattr(answer, "status_code", 500) in (400, 401, 403, 404)
            why = _reason(error)
        if why is None:
            return
        # The engine's own status is 500 for some of them.
        kind = UserError if refused or NO_SUCH_IMAGE.search(why) else Unavailable
        raise kind(
            "DOCKER-IMAGE",
            name,
            "an image must be there or be had from its registry",
            why,
            "Build it with make images, correct image in the runners file, or log Airflow in to "
            "its registry",
        )

    def create(self, name: str, body: dict[str, Any]) -> str:
        """Make a container; gives its id.

        Raises
        ------
        Taken
            If there is one of that name.
        """
        made = self._call(self._api.create_container_from_config, body, name)
        return str(made["Id"])

    def connect(self, network: str, container: str) -> None:
        """Let a container reach one more network."""
        self._call(self._api.connect_container_to_network, container, network)

    def start(self, container: str) -> None:
        """Start it; one that runs goes on."""
        self._call(self._api.start, container)

    def describe(self, container: str) -> dict[str, Any] | None:
        """A container as the engine describes it; None where there is none."""
        try:
            return dict(self._call(self._api.inspect_container, container))
        except Gone:
            return None

    def ours(self) -> list[dict[str, Any]]:
        """Every container that carries out a task, ended ones too."""
        found = self._call(self._api.containers, all=True, filters={"label": [f"{LABEL}task"]})
        return [dict(one) for one in found]

    def put(self, container: str, archive: bytes) -> None:
        """Unpack an archive in ``/task``."""
        self._call(self._api.put_archive, container, FOLDER, archive)

    def get(self, container: str, name: str) -> bytes | None:
        """A file of ``/task``; None where there is none.

        Raises
        ------
        ValueError
            If it is larger than may be.
        """

        def fetch() -> bytes | None:
            chunks, _ = self._api.get_archive(container, f"{FOLDER}/{name}", 64 * 1024)
            with contextlib.closing(chunks):
                return content(chunks)

        try:
            found: bytes | None = self._call(fetch)
        except Gone:
            return None
        return found

    def follow(self, container: str, lines: Lines) -> None:
        """Hand on what it logs until it ends, or nothing came for ``QUIET`` seconds.

        Raises
        ------
        Lost
            If the connection broke, or was quiet: ask again.
        """
        asked = {"follow": 1, "stdout": 1, "stderr": 1, "timestamps": 1}
        url = f"{self._api.base_url}/v{self._api.api_version}/containers/{container}/logs"

        def read() -> None:
            since = {"since": lines.since} if lines.since else {}
            with self._api.get(url, params=asked | since, stream=True, timeout=QUIET) as answer:
                self._api._raise_for_status(answer)
                lines.read(answer.raw)

        self._call(read)

    def signal(self, container: str, name: str) -> None:
        """Send its processes a signal; nothing where it has ended."""
        with contextlib.suppress(Gone, Taken):
            self._call(self._api.kill, container, name)

    def remove(self, container: str) -> None:
        """End it if it runs, and take it away with its volume; nothing where it is gone."""
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            try:
                self._call(self._api.remove_container, container, v=True, force=True)
            except Gone:
                return
            except Taken:  # another removes it already
                time.sleep(0.1)

    def unavailable(self, found: str) -> Unavailable:
        """What is said of an engine that does not answer."""
        return Unavailable(
            "DOCKER-ENGINE",
            self.where,
            "a Docker engine must answer",
            found,
            "Start it, or correct DOCKER_HOST",
        )

    def _call(self, call: Callable[..., Answer], *given: Any, **named: Any) -> Answer:
        """One call; what goes wrong comes out as one of few things."""
        import docker
        from urllib3.exceptions import HTTPError

        try:
            return call(*given, **named)
        except docker.errors.APIError as error:
            status, said = error.status_code or 500, _reason(error)
            if status >= 500:
                raise (Lost(said) if status in (502, 503, 504) else _broken(said)) from error
            if status == 404 and "network" not in said:
                raise Gone(said) from error
            if status == 409:
                raise Taken(said) from error
            raise self._refused(said) from error
        except (docker.errors.DockerException, OSError, HTTPError) as error:
            raise Lost(_reason(error)) from error

    def _refused(self, said: str) -> UserError:
        return UserError(
            "DOCKER-REFUSED",
            self.where,
            "the engine, or the guard before it, must allow what the runners file asks for",
            said,
            "Correct the runners file or EVERFIT_GUARD_TOKEN, or allow it",
        )


def guard_token(environ: Mapping[str, str]) -> str | None:
    """The token for the guard before the engine; None where no file is named.

    Raises
    ------
    UserError
        If one is named, and has none.
    """
    path = environ.get(TOKEN)
    if not path:
        return None
    found = "it is empty"
    try:
        if token := Path(path).read_text(encoding="utf-8").strip():
            return token
    except (OSError, UnicodeDecodeError) as error:
        found = type(error).__name__
    raise UserError(
        "GUARD-TOKEN",
        TOKEN,
        "it names a file with a token",
        found,
        "Write one into it, the same for the guard and the workers",
    )


def _client(docker: Any, token: str | None) -> Any:
    """A client that says the token with every request, the first one too."""

    class Client(docker.APIClient):  # type: ignore[misc]
        def send(self, request: Any, **how: Any) -> Any:
            if token is not None:
                request.headers["Authorization"] = f"Bearer {token}"
            return super().send(request, **how)

    return Client(version="auto", timeout=TIMEOUT, **docker.utils.kwargs_from_env())


@contextlib.contextmanager
def answering(engine: Engine) -> Iterator[None]:
    """An engine that is lost is a failure that another try may cure."""
    try:
        yield
    except Lost as error:
        raise engine.unavailable(str(error)) from error


def _broken(said: str) -> Unavailable:
    return Unavailable(
        "DOCKER-FAILED",
        "the engine",
        "a call of the engine must succeed",
        said,
        "Look at the engine's log if it does so again",
    )


def _reason(error: BaseException) -> str:
    """The innermost reason, on one line and not too long."""
    said = getattr(error, "explanation", None)
    if not said:
        inner: BaseException | None = error
        while inner is not None:
            said, inner = str(inner) or type(inner).__name__, inner.__cause__ or inner.__context__
    with contextlib.suppress(ValueError, TypeError, KeyError):
        said = json.loads(str(said))["message"]
    return " ".join(str(said).split()).strip(". ")[:300]
