"""A way to the engine that can be closed: what a restart of the engine or its guard looks like."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import threading


class Way:
    """Forwards a TCP port to the engine's socket."""

    def __init__(self) -> None:
        host = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
        self._engine = host.removeprefix("unix://")
        self._listening: socket.socket | None = None
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._port = 0
        self.connections = 0
        self.open()
        self.url = f"tcp://127.0.0.1:{self._port}"

    def open(self) -> None:
        """Let through; on the same port as before."""
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self._port))
        listening.listen(16)
        self._port = listening.getsockname()[1]
        self._listening = listening
        threading.Thread(target=self._accept, args=(listening,), daemon=True).start()

    def close(self) -> None:
        """Break every connection, and refuse new ones."""
        with self._lock:
            if self._listening is not None:
                with contextlib.suppress(OSError):
                    self._listening.shutdown(socket.SHUT_RDWR)
                self._listening.close()
                self._listening = None
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            self._open.clear()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            there = socket.socket(socket.AF_UNIX)
            there.connect(self._engine)
            with self._lock:
                self.connections += 1
                self._open += [client, there]
            threading.Thread(target=_forward, args=(client, there), daemon=True).start()


def _forward(one: socket.socket, other: socket.socket) -> None:
    with selectors.DefaultSelector() as ready, one, other, contextlib.suppress(OSError):
        ready.register(one, selectors.EVENT_READ, other)
        ready.register(other, selectors.EVENT_READ, one)
        while True:
            for key, _ in ready.select():
                data = key.fileobj.recv(65536)  # type: ignore[union-attr]
                if not data:
                    return
                key.data.sendall(data)
