"""The pages of the cockpit without Airflow: read-only, for whoever is at this machine."""

from __future__ import annotations

import http.server
import importlib.util
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from everfit.contracts.base import canonical_json
from everfit.contracts.board import Board
from everfit.contracts.errors import EverfitError, UserError
from everfit.contracts.settings import Settings
from everfit.contracts.spec.load import find_spec, load_spec, spec_paths
from everfit.engine.context import Context, open_context
from everfit.operations.board import make_board, read_board

log = logging.getLogger(__name__)

PLUGIN = "everfit_airflow"
"""The package that has the pages; nothing of it is imported."""

HERE = "127.0.0.1"

TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

Answer = tuple[bytes, str]
"""Bytes and their type."""


class Cockpit:
    """What the pages ask for, made from the ledger when it is asked.

    Parameters
    ----------
    settings : Settings
        Where ledger and store are; nothing is written there.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pages = page_files()
        self._known: dict[str, Board] = {}
        self._one_at_a_time = threading.Lock()

    def answer(self, path: str) -> Answer | None:
        """What is at a path of the site; None where nothing is."""
        if path == "/":
            return self._file("alone.html")
        match path.strip("/").split("/"):
            case ["cockpit", name]:
                return self._file(name)
            case ["api", "boards"]:
                with self._opened() as context:
                    return canonical_json(self._list(context)), "application/json"
            case ["api", "boards", name]:
                with self._opened() as context:
                    board = self._board(name, context)
                return (canonical_json(board), "application/json") if board else None
        return None

    @contextmanager
    def _opened(self) -> Iterator[Context]:
        """Ledger and store, opened by the thread that reads them."""
        with self._one_at_a_time, open_context(self._settings) as context:
            yield context

    def _file(self, name: str) -> Answer | None:
        path = self._pages.get(name)
        return (path.read_bytes(), TYPES[path.suffix]) if path else None

    def _list(self, context: Context) -> dict[str, Any]:
        names = [path.stem for path in spec_paths(self._settings.pipelines)]
        every = {name: self._board(name, context) for name in sorted(names)}
        begun = set(context.ledger.pipelines())
        return {
            "boards": [
                board.row().model_dump(mode="json")
                for name, board in every.items()
                if board and name in begun
            ],
            "without": [name for name in every if name not in begun],
            "readable": True,
        }

    def _board(self, name: str, context: Context) -> Board | None:
        """Made now; of a pipeline whose spec cannot be read, the one in the store."""
        try:
            spec = load_spec(find_spec(self._settings.pipelines, name))
        except EverfitError as error:
            log.info("%s: %s", name, error.line)
            return read_board(context.store, name) if name in context.ledger.pipelines() else None
        self._known[name] = make_board(spec, context, self._known.get(name))
        return self._known[name]


def page_files() -> Mapping[str, Path]:
    """Name → file of the pages.

    Raises
    ------
    UserError
        If they are not installed here.
    """
    found = importlib.util.find_spec(PLUGIN)
    for folder in (found.submodule_search_locations if found else None) or ():
        pages = Path(folder, "ui", "cockpit")
        if pages.is_dir():
            return {path.name: path for path in pages.iterdir() if path.suffix in TYPES}
    raise UserError(
        "UI-PAGES",
        "everfit ui",
        "the pages of the cockpit must be installed",
        "they are not: an image of the components has none",
        "Install everfit itself, with pip install everfit",
    )


class Site(http.server.ThreadingHTTPServer):
    """Answers this machine alone.

    Parameters
    ----------
    cockpit : Cockpit
    port : int
        0: any that is free.
    """

    def __init__(self, cockpit: Cockpit, port: int) -> None:
        self.cockpit = cockpit
        super().__init__((HERE, port), Handler)

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        return f"http://{HERE}:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    """One request."""

    server: Site
    timeout = 60
    """Seconds that a connection may say nothing."""

    def do_GET(self) -> None:
        """Answer, if it was this site that was asked: another name may lead here too."""
        host = self.headers.get("Host", "")
        if host not in (
            f"{HERE}:{self.server.server_port}",
            f"localhost:{self.server.server_port}",
        ):
            self.send_error(403, "Ask for it by its own address")
            return
        try:
            found = self.server.cockpit.answer(unquote(urlsplit(self.path).path))
        except EverfitError as error:
            log.warning("%s", error.line)
            self.send_error(503, "The ledger or the store does not answer")
            return
        if found is None:
            self.send_error(404)
            return
        data, kind = found
        self.send_response(200)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Nothing: people look, and that is no news."""
