"""The server as a process: bound, answering until it is stopped."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn

from everfit.contracts.errors import UserError
from everfit.engine.stopping import Terminated
from everfit.operations.serving.app import Limits, Server
from everfit.operations.serving.following import Following
from everfit.operations.serving.metrics import Metrics
from everfit.operations.serving.prediction_log import PredictionFiles

GRACE_SECONDS = 10
"""That requests get to end when the server is stopped."""


def serve(
    following: Following,
    metrics: Metrics,
    listening: socket.socket,
    limits: Limits,
    key: str,
    log_files: PredictionFiles | None,
    started: Callable[[], None],
) -> None:
    """Answer until SIGTERM or Ctrl-C; requests that are under way are answered.

    Parameters
    ----------
    following : Following
        Ended here.
    listening : socket
        As ``listen`` gives it.
    key : str
        The key that requests must bear; empty: none.
    log_files : PredictionFiles or None
        Where predictions are logged; ended here.
    started : callable
        Called once, when the first champions are loaded.
    """
    following.begin()
    server = Server(following, metrics, limits, key, log_files)
    config = uvicorn.Config(
        server.app(),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    started()
    try:
        with suppress(Terminated, KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listening])
    finally:
        following.end()
        server.close()
        if log_files is not None:
            log_files.end()


def listen(host: str, port: int) -> socket.socket:
    """A socket that connections can be made to; port 0: any that is free.

    Raises
    ------
    UserError
        If the address is taken, or is none of this machine's.
    """
    found = f"a port is 0 to 65535, and this is {port}"
    cause: OSError | None = None
    if 0 <= port < 1 << 16:
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            return socket.create_server((host, port), family=family, backlog=1024)
        except OSError as error:
            found, cause = error.strerror or str(error), error
    raise UserError(
        "SERVE-ADDRESS",
        f"{host}:{port}",
        "the server must be able to listen there",
        found,
        "Name another with --host and --port",
    ) from cause
