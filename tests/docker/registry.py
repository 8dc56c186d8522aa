"""An image registry that serves one image over HTTP, as the engine asks for it."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


class Registry:
    """Holds what was pushed last under any tag of ``fares/component``.

    The image has a program of its own and no system around it: a static file that cannot run is
    enough to see that it was fetched.
    """

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}
        self._manifest = b""
        self.asked: list[str] = []
        registry = self

        class Answer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                registry.answer(self)

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.image = f"127.0.0.1:{self._server.server_port}/fares/component"

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()

    def push(self, content: str) -> None:
        """Put an image that differs by its content in the place of the one before."""
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as tar:
            entry = tarfile.TarInfo("content")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content.encode()))
        plain = layer.getvalue()
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Entrypoint": ["/content"]},
                "rootfs": {"type": "layers", "diff_ids": [_digest(plain)]},
            }
        ).encode()
        described = [self._keep(config), self._keep(gzip.compress(plain, mtime=0))]
        kinds = ["container.image.v1+json", "image.rootfs.diff.tar.gzip"]
        first, second = (
            {"mediaType": f"application/vnd.docker.{kind}", **one}
            for kind, one in zip(kinds, described, strict=True)
        )
        self._manifest = json.dumps(
            {"schemaVersion": 2, "mediaType": MANIFEST, "config": first, "layers": [second]}
        ).encode()

    def _keep(self, blob: bytes) -> dict[str, Any]:
        self._blobs[_digest(blob)] = blob
        return {"digest": _digest(blob), "size": len(blob)}

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """One request of the engine's."""
        self.asked.append(request.path)
        name = request.path.rpartition("/")[2]
        found: bytes | None = self._blobs.get(name)
        kind = "application/octet-stream"
        if request.path == "/v2/":
            found = b"{}"
        elif "/component/manifests/" in request.path and self._manifest:
            found, kind = self._manifest, MANIFEST
        unknown = b'{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}'
        body = unknown if found is None else found
        request.send_response(404 if found is None else 200)
        request.send_header("Content-Type", kind if found else "application/json")
        request.send_header("Content-Length", str(len(body)))
        request.send_header("Docker-Content-Digest", _digest(body))
        request.end_headers()
        if request.command == "GET":
            request.wfile.write(body)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
