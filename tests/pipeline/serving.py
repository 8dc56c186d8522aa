"""A real prediction server to test, and a client that looks at every answer."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROGRAM = "import sys; from everfit.cli import main; sys.exit(main())"
PATIENCE = 120


@dataclass
class Client:
    """Asks a server; within ``with`` over one connection that is kept open."""

    port: int
    headers: Mapping[str, str] = field(default_factory=dict)
    _kept: http.client.HTTPConnection | None = None

    def __enter__(self) -> Client:
        self._kept = self._connection()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._kept
        self._kept.close()

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, str]:
        connection = self._kept or self._connection()
        try:
            with suppress(BrokenPipeError):  # refused before all of the body was sent
                connection.request(method, path, body, dict(self.headers))
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            if self._kept is None:
                connection.close()

    def get(self, path: str) -> tuple[int, Any]:
        status, text = self.ask("GET", path)
        return status, json.loads(text)

    def post(self, path: str, document: Any) -> tuple[int, Any]:
        status, text = self.ask("POST", path, json.dumps(document).encode())
        return status, json.loads(text)

    def wait(self, path: str, holds: Callable[[Any], bool]) -> Any:
        """The first answer that it holds for."""
        give_up = time.monotonic() + PATIENCE
        while True:
            _, answer = self.get(path)
            if holds(answer):
                return answer
            assert time.monotonic() < give_up, answer
            time.sleep(0.1)


def listening(root: Path, *arguments: str) -> Any:
    """The document that a server writes when it listens; it answers, and is stopped."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "serve", *arguments, "--port", "0", "--json"],
        env={"PATH": os.environ["PATH"], "EVERFIT_ROOT": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout
    try:
        text = ""
        for line in process.stdout:
            text += line
            if line.startswith("}"):
                break
        document = json.loads(text)
        port = int(document["address"].rpartition(":")[2])
        assert Client(port).get("/healthz") == (200, {"live": True})
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=PATIENCE)
        assert (process.returncode, rest) == (0, "")
        return document
    finally:
        process.kill()
        process.communicate()


@contextmanager
def serving(root: Path, *arguments: str, **environ: str) -> Iterator[Client]:
    """A server in a process of its own; it is stopped as a supervisor would, and ends well."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "serve", *arguments, "--port", "0"],
        env={"PATH": os.environ["PATH"], "EVERFIT_ROOT": str(root), **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    shown = []
    try:
        for line in process.stdout:
            shown.append(line)
            if found := re.match(r"Listening at http://127\.0\.0\.1:(\d+)", line):
                break
        else:
            raise AssertionError("".join(shown))
        yield Client(int(found[1]))
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, rest
        assert rest.endswith("Stopped.\n")
        assert "Traceback" not in rest
    finally:
        process.kill()
        process.communicate()
