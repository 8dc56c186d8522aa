"""A real MLflow server on a free loopback port."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from everfit.storage.mlflow.template import provide_database

# Before any test imports MLflow: it must not call home, least of all from a thread.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"


class Address(str):
    """Where a server answers; it can be stopped for a while, as by a frozen machine."""

    __slots__ = ("group",)
    group: int

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Connections are taken and nothing is answered, until the end of the block."""
        os.killpg(self.group, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self.group, signal.SIGCONT)


@contextmanager
def mlflow_server(folder: Path, backend: str | None = None) -> Iterator[Address]:
    """Start one on a database and a folder of artifacts; stop its whole group after.

    Parameters
    ----------
    backend : str, optional
        The URL of an empty database on a server; it may be put back while MLflow runs, for no
        connection outlives a request. A SQLite file in the folder where left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if backend is None:
        provide_database(folder / "mlflow.db", folder / "artifacts")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "mlflow",
        "server",
        "--backend-store-uri",
        backend or f"sqlite:///{folder / 'mlflow.db'}",
        "--artifacts-destination",
        str(folder / "artifacts"),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    if backend is not None:
        quiet["MLFLOW_SQLALCHEMYSTORE_POOLCLASS"] = "NullPool"
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **quiet},
            start_new_session=True,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    address = Address(f"http://127.0.0.1:{port}")
    address.group = server.pid
    try:
        _wait(server, address, folder / "server.log")
        yield address
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _wait(server: subprocess.Popen[bytes], address: str, log: Path) -> None:
    for _ in range(600):
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=1):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(log.read_text())
