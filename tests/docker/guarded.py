"""A guard as a process before the real engine, and a client that says whatever it likes to it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from everfit_airflow.runners.docker_container import given
from tests.docker.conftest import REPOSITORY
from tests.docker.shell import until

SOCKET = os.environ.get("DOCKER_HOST", "").removeprefix("unix://") or "/var/run/docker.sock"

SECRET = "correct-horse-battery"
SLEEP = "exec sleep 600\n"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Guard:
    """A guard on a port of its own.

    Parameters
    ----------
    folder : Path
        For its settings and its log.
    """

    def __init__(self, folder: Path, engine: str = SOCKET, **settings: Any) -> None:
        self.port = free_port()
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.settings = settings
        file = folder / f"guard-{self.port}.yaml"
        file.write_text(yaml.safe_dump(settings))
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(
                str(REPOSITORY / folder) for folder in ("plugins", "pipeline_components", "")
            ),
            "EVERFIT_GUARD": str(file),
            "EVERFIT_GUARD_LISTEN": f"127.0.0.1:{self.port}",
            "EVERFIT_GUARD_SOCKET": engine,
        }
        self._log = folder / f"guard-{self.port}.log"
        self.start()

    def start(self) -> None:
        """On the same port as before."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "everfit_docker_guard"],
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        until(self._listens)

    def _listens(self) -> bool:
        assert self.process.poll() is None, self.log
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5):
            return True
        return False

    @property
    def log(self) -> str:
        """What it has logged."""
        return self._log.read_text()

    @property
    def sockets(self) -> int:
        """How many connections it holds, to clients and to the engine."""
        found = 0
        for link in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found += str(link.readlink()).startswith("socket:")
        return found

    def say(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """One request, as it stands; gives status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        told = {"Content-Type": "application/json"} if sent is not None else {}
        with contextlib.closing(connection):
            connection.request(method, path, sent, {**told, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.read()

    @contextlib.contextmanager
    def asking(self, method: str, path: str) -> Iterator[http.client.HTTPResponse]:
        """One request whose answer is left before it ends."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path)
            line = connection.sock
            yield connection.getresponse()
            line.close()

    def raw(self, request: bytes) -> bytes:
        """Bytes as they are; gives all that comes back until it closes."""
        with socket.create_connection(("127.0.0.1", self.port), 60) as line:
            line.sendall(request)
            line.shutdown(socket.SHUT_WR)
            found = b""
            with contextlib.suppress(ConnectionResetError):
                while piece := line.recv(1 << 16):
                    found += piece
            return found

    def refuses(self, method: str, path: str, body: Any = None) -> str:
        """The line with which it refuses."""
        status, said = self.say(method, path, body)
        assert status == 403, (status, said)
        message = json.loads(said)["message"]
        assert message.startswith("GUARD ") and message.endswith(".") and "\n" not in message
        return str(message)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)


@contextlib.contextmanager
def guarding(folder: Path, **settings: Any) -> Iterator[Guard]:
    guard = Guard(folder, **settings)
    try:
        yield guard
    finally:
        guard.stop()


def create(guard: Guard, wanted: tuple[str, dict[str, Any]]) -> str:
    status, said = guard.say("POST", f"/v1.41/containers/create?name={wanted[0]}", wanted[1])
    assert status == 201, said
    return str(json.loads(said)["Id"])


def started(guard: Guard, client: Any, wanted: Any, script: str = SLEEP) -> str:
    made = create(guard, wanted)
    client.put_archive(made, "/task", given(script.encode(), "owner", wanted[1]["User"]))
    client.start(made)
    return made
