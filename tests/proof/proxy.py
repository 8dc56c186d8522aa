"""A proxy that hands every request on, and then says that something went wrong, or nothing."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

Fault = Literal["none", "500", "dropped", "cut"]
"""After the server has done what was asked: answer 500; close without a word; send half of it."""


class Proxy:
    """Before a server at ``address``; faulty at its ``at``-th request, or from there on."""

    def __init__(self, address: str) -> None:
        self.behind = urlsplit(address).netloc
        self.address = ""
        self._lock = threading.Lock()
        self.behave()

    def behave(self, fault: Fault = "none", at: int = 0, onwards: bool = False) -> None:
        """Count from the beginning, and fail so."""
        with self._lock:
            self.seen, self.fault, self.at, self.onwards = 0, fault, at, onwards

    def faulty(self) -> Fault:
        """What to do of the request that has just come."""
        with self._lock:
            self.seen += 1
            now = self.seen == self.at or (self.onwards and 0 < self.at <= self.seen)
            return self.fault if now else "none"


@contextmanager
def proxy(address: str) -> Iterator[Proxy]:
    """Serve one on a free loopback port."""
    made = Proxy(address)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def _hand_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fault = made.faulty()
            there = http.client.HTTPConnection(made.behind, timeout=30)
            headers = {k: v for k, v in self.headers.items() if k.lower() != "connection"}
            there.request(self.command, self.path, body, headers)
            answer = there.getresponse()
            content, status = answer.read(), answer.status
            kind = answer.getheader("Content-Type") or "text/plain"
            there.close()
            if fault == "dropped":
                self.close_connection = True
                return
            if fault == "500":
                status, content, kind = 500, b"oops", "text/plain"
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if fault == "cut":
                content = content[: len(content) // 2]
                self.close_connection = True
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _hand_on  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    made.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
