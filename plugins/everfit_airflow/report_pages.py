"""The reports as pages of Airflow's own web server, for users who are logged in.

Every Airflow process imports this module, so the web framework is loaded with the first request.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pipeline_components.contracts.settings import Settings

PREFIX = "/everfit"
MOST_BYTES = 64 << 20
"""A larger blob is no report."""

HEADERS = {
    # A report is only ever looked at: no scripts, no network, no frames, an origin of its own.
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, max-age=86400, immutable",
}

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Scope]]
Send = Callable[[Scope], Awaitable[None]]


class ReportPages:
    """An ASGI application that builds itself when it is first asked for a page."""

    def __init__(self) -> None:
        self._app: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on."""
        if self._app is None:
            self._app = build_app()
        await self._app(scope, receive, send)


def build_app() -> Any:
    """The web application; only users who are logged in reach it."""
    from airflow.api_fastapi.core_api.security import get_user
    from fastapi import Depends, FastAPI, HTTPException, Response

    from everfit_airflow.glossary import glossary_page

    app = FastAPI(
        title="Everfit reports", docs_url=None, redoc_url=None, openapi_url=None,
        dependencies=[Depends(get_user)],
    )  # fmt: skip

    @app.get("/report/{digest}")
    def report(digest: str) -> Response:
        page = read_report(Settings.from_environment().store, digest)
        if page is None:
            raise HTTPException(404, "There is no such report in this machine's store.")
        return Response(page, media_type="text/html; charset=utf-8", headers=HEADERS)

    @app.get("/glossary")
    def glossary() -> Response:
        return Response(glossary_page(), media_type="text/html; charset=utf-8", headers=HEADERS)

    return app


def read_report(store: str, digest: str) -> bytes | None:
    """A page from a store in a folder, its digest verified.

    Parameters
    ----------
    store : str
        Store URL; only ``file://`` is read here.
    digest : str
        From the address: anything but 64 hexadecimal digits names nothing.

    Returns
    -------
    bytes or None
        None where there is no such page, or its bytes are not what they were.
    """
    parts = urlsplit(store)
    if parts.scheme != "file" or re.fullmatch(r"[0-9a-f]{64}", digest) is None:
        return None
    path = Path(unquote(parts.path), "blobs", digest[:2], digest)
    try:
        if path.stat().st_size > MOST_BYTES:
            return None
        page = path.read_bytes()
    except OSError:
        return None
    if hashlib.sha256(page).hexdigest() != digest or not is_page(page):
        return None
    return page


def is_page(data: bytes) -> bool:
    """Whether the bytes are an HTML page; a store also holds data and models."""
    return data[:64].lstrip().lower().startswith((b"<!doctype html", b"<html"))


def report_address(digest: str) -> str:
    """Where a browser finds a report, below the address Airflow is reached at."""
    base = urlsplit(os.environ.get("AIRFLOW__API__BASE_URL", "")).path.rstrip("/")
    return f"{base}{PREFIX}/report/{digest}"
