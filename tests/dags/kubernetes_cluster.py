"""What stands for a Kubernetes cluster in tests: the API calls of the runner, on real sockets.

A test plays the kubelet: it says what a container logs, how it ends, why it waits. The same tests
run against a real API server where there is one (``kubernetes_api_server.py``); both are reached
through a wire that a test can cut.
"""

from __future__ import annotations

import contextlib
import copy
import json
import socket
import socketserver
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

NAMESPACE = "everfit"
PATIENT = 30.0


def until(is_so: Callable[[], Any], what: str) -> Any:
    """Wait for something that must come."""
    deadline = time.monotonic() + PATIENT
    while time.monotonic() < deadline:
        if found := is_so():
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what} never came")


def now() -> str:
    """The time as container runtimes write it: nanoseconds, UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + f"{time.monotonic_ns() % 1000:03}Z"


class Logs:
    """What containers have written, and whether they still write."""

    def __init__(self) -> None:
        self.lines: dict[str, list[str]] = {}
        self.ended: set[str] = set()
        self.asked: list[dict[str, str]] = []
        self.changed = threading.Condition()

    def say(self, pod: str, *lines: str, at: str | None = None) -> None:
        with self.changed:
            self.lines.setdefault(pod, []).extend(f"{at or now()} {line}\n" for line in lines)
            self.changed.notify_all()

    def end(self, pod: str) -> None:
        with self.changed:
            self.ended.add(pod)
            self.changed.notify_all()

    def stream(self, pod: str, query: dict[str, str]) -> Iterator[bytes]:
        """As a kubelet does it: times are compared as text, ``sinceTime`` is included."""
        self.asked.append(query)
        sent = 0
        if "tailLines" in query:
            sent = max(0, len(self.lines.get(pod, [])) - int(query["tailLines"]))
        while True:
            with self.changed:
                new = self.lines.get(pod, [])[sent:]
                over = pod in self.ended or query.get("follow") != "true"
                if not new and not over:
                    self.changed.wait(1)
            sent += len(new)
            since = query.get("sinceTime", "").removesuffix("Z")
            yield "".join(line for line in new if line[:19] >= since).encode()
            if over and not new:
                return


class Streaming(BaseHTTPRequestHandler):
    """A request handler that can send as it goes."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}

    def answer(self, status: int, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status: int, message: str) -> None:
        self.answer(status, {"kind": "Status", "code": status, "message": message})

    def stream(self, parts: Iterator[bytes]) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with contextlib.suppress(OSError):
            for part in parts:
                if part:
                    self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
                    self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")


class Quietly(ThreadingHTTPServer):
    """A server whose clients may go without a word."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        pass


class Wire:
    """A TCP connection's way to a server, which can be cut."""

    def __init__(self, port: int) -> None:
        self._open: set[socket.socket] = set()
        self._away = False
        wire = self

        class Through(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                if wire._away:
                    return
                with socket.create_connection(("127.0.0.1", port)) as there:
                    wire._open |= {there, self.request}
                    back = threading.Thread(target=pump, args=(there, self.request), daemon=True)
                    back.start()
                    pump(self.request, there)
                    back.join()
                    wire._open -= {there, self.request}

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Through)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def cut(self) -> None:
        """End every connection there is."""
        for end in list(self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def away(self, is_away: bool) -> None:
        """Take no connection any more, or again."""
        self._away = is_away
        if is_away:
            self.cut()

    def close(self) -> None:
        self.away(True)
        self._server.shutdown()
        self._server.server_close()


def pump(here: socket.socket, there: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while part := here.recv(1 << 16):
            there.sendall(part)
    with contextlib.suppress(OSError):
        there.shutdown(socket.SHUT_WR)


class Cluster:
    """Pods and Secrets of one namespace, and what a kubelet says of them."""

    def __init__(self, folder: Path) -> None:
        self.logs = Logs()
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.seen: list[str] = []
        self.refusals: dict[str, tuple[int, str]] = {}
        self._changed = threading.Condition()
        self._server = Quietly(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.wire = Wire(self._server.server_address[1])
        self.kubeconfig = kubeconfig(folder, f"http://127.0.0.1:{self.wire.port}")

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        return copy.deepcopy(self.objects.get((kind, name)))

    def create(self, kind: str, document: dict[str, Any]) -> dict[str, Any] | None:
        name = document["metadata"]["name"]
        with self._changed:
            if (kind, name) in self.objects:
                return None
            made = copy.deepcopy(document)
            made["metadata"] |= {"uid": str(uuid.uuid4())}
            if kind == "pods":
                made["status"] = {"phase": "Pending"}
            self.objects[kind, name] = made
            self._tell("ADDED", kind, made)
        return made

    def status(self, name: str, status: dict[str, Any]) -> None:
        """What the kubelet or the scheduler says of a pod."""
        with self._changed:
            self.objects["pods", name]["status"] = status
            self._tell("MODIFIED", "pods", self.objects["pods", name])

    def delete(self, kind: str, name: str, grace: int) -> None:
        with self._changed:
            found = self.objects.get((kind, name))
            if found is None:
                return
            if grace and kind == "pods" and "running" in json.dumps(found["status"]):
                found["metadata"]["deletionTimestamp"] = now()
                self._tell("MODIFIED", kind, found)
                self.logs.end(name)
                threading.Timer(0.2, self.delete, (kind, name, 0)).start()
                return
            self.objects.pop((kind, name))
            self._tell("DELETED", kind, found)

    def watch(self, name: str, seconds: float) -> Iterator[bytes]:
        deadline = time.monotonic() + seconds
        with self._changed:
            told = len(self.events)
            found = self.get("pods", name)
        if found:
            yield json.dumps({"type": "ADDED", "object": found}).encode() + b"\n"
        while (left := deadline - time.monotonic()) > 0:
            with self._changed:
                if len(self.events) == told:
                    self._changed.wait(left)
                new, told = self.events[told:], len(self.events)
            for event in new:
                of_pod = event["object"]["kind"] == "Pod"
                if of_pod and event["object"]["metadata"]["name"] == name:
                    yield json.dumps(event).encode() + b"\n"

    def close(self) -> None:
        self.wire.close()
        self._server.shutdown()
        self._server.server_close()

    def _tell(self, kind: str, what: str, document: dict[str, Any]) -> None:
        self.events.append({"type": kind, "object": copy.deepcopy(document)})
        self._changed.notify_all()


def _handler(cluster: Cluster) -> type[Streaming]:
    class Api(Streaming):
        def do_POST(self) -> None:
            document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.is_refused():
                return
            kind, _ = self.where()
            made = cluster.create(kind, document)
            if made is None:
                self.refuse(409, "already exists")
            else:
                self.answer(201, made)

        def do_DELETE(self) -> None:
            options = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.is_refused():
                return
            kind, name = self.where()
            found = cluster.get(kind, name)
            uid = (options.get("preconditions") or {}).get("uid")
            if found is None:
                self.refuse(404, "not found")
            elif uid not in (None, found["metadata"]["uid"]):
                self.refuse(409, "the UID in the precondition does not match")
            else:
                cluster.delete(kind, name, options["gracePeriodSeconds"])
                self.answer(200, found)

        def do_GET(self) -> None:
            if self.is_refused():
                return
            kind, name = self.where()
            query = self.query()
            if "watch" in query:
                wanted = query["fieldSelector"].removeprefix("metadata.name=")
                self.stream(cluster.watch(wanted, float(query["timeoutSeconds"])))
            elif name.endswith("/log"):
                pod = name.removesuffix("/log")
                state = json.dumps((cluster.get("pods", pod) or {}).get("status", {}))
                if "running" in state or "terminated" in state:
                    self.stream(cluster.logs.stream(pod, query))
                else:
                    self.refuse(400, "container is waiting to start")
            elif found := cluster.get(kind, name):
                self.answer(200, found)
            else:
                self.refuse(404, "not found")

        def is_refused(self) -> bool:
            cluster.seen.append(f"{self.command} {self.path}")
            for part, (status, message) in cluster.refusals.items():
                if part in f"{self.command} {self.path}":
                    self.refuse(status, message)
                    return True
            return False

        def where(self) -> tuple[str, str]:
            path = urlsplit(self.path).path.removeprefix(f"/api/v1/namespaces/{NAMESPACE}/")
            kind, _, name = path.partition("/")
            return kind, name

    return Api


def kubeconfig(folder: Path, server: str, token: str = "a-token", authority: str = "") -> Path:
    path = folder / "kubeconfig"
    cluster = {"server": server} | ({"certificate-authority": authority} if authority else {})
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "here",
                "clusters": [{"name": "here", "cluster": cluster}],
                "users": [{"name": "here", "user": {"token": token}}],
                "contexts": [{"name": "here", "context": {"cluster": "here", "user": "here"}}],
            }
        )
    )
    return path
