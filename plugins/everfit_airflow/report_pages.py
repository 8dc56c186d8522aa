"""The reports as pages of Airflow's own web server, for users who are logged in.

Every Airflow process imports this module, so the web framework is loaded with the first request.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from everfit_airflow.run_tab import BECAUSE, DECIDED, ENDED, WAKE, RunSoFar, run_tab
from everfit_airflow.simple_page import simple_page
from everfit_airflow.store_pages import blob
from pipeline_components.contracts.monitoring import SCRIPTED_PAGE
from pipeline_components.contracts.settings import Settings
from pipeline_components.contracts.steps import CHAIN, MONITORING

PREFIX = "/everfit"
MOST_BYTES = 64 << 20
"""A larger blob is no report."""

CARD = b"# Model card"
"""How a model card begins."""

HEADERS = {
    # A report is only ever looked at: no scripts, no network, no frames, an origin of its own.
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, max-age=86400, immutable",
}

SCRIPTED = HEADERS | {
    # Evidently's page draws itself: its own scripts run, in an origin of their own; none fetches.
    "Content-Security-Policy": "sandbox allow-scripts; default-src 'none'; "
    "script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
}

ANEW = {"Cache-Control": "private, no-store"}
"""A run goes on; its tab must be read anew."""

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
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
    from airflow.api_fastapi.core_api.security import get_user, requires_access_dag
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
            raise HTTPException(404, "There is no such report in the store.")
        return Response(page, media_type="text/html; charset=utf-8", headers=headers_of(page))

    may_read = Depends(requires_access_dag("GET", DagAccessEntity.XCOM))

    @app.get("/runs/{dag_id}/{run_id}", dependencies=[may_read])
    def run(dag_id: str, run_id: str, report: str | None = None) -> Response:
        store = Settings.from_environment().store
        page = run_tab(
            run_so_far(dag_id, run_id), report, lambda digest: read_report(store, digest)
        )
        headers = headers_of(page) | ANEW
        return Response(page, media_type="text/html; charset=utf-8", headers=headers)

    @app.get("/glossary")
    def glossary() -> Response:
        return Response(glossary_page(), media_type="text/html; charset=utf-8", headers=HEADERS)

    return app


def headers_of(page: bytes) -> dict[str, str]:
    """What a browser is told a page may do: nothing, but for one that draws itself."""
    return SCRIPTED if page.startswith(SCRIPTED_PAGE) else HEADERS


def run_so_far(dag_id: str, run_id: str) -> RunSoFar:
    """What a run has left in Airflow's database."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    outcomes: dict[str, Mapping[str, Any]] = {}
    lines: dict[str, str] = {}
    told: list[Mapping[str, Any]] = []
    tasks = [*dict.fromkeys([*CHAIN, *MONITORING, "approve", *DECIDED]), WAKE]
    query = XComModel.get_many(run_id=run_id, dag_ids=dag_id, task_ids=tasks)
    with create_session() as session:
        left: list[Any] = list(session.scalars(query))
        for xcom in left:
            value = XComModel.deserialize_value(xcom)
            if xcom.key in ("return_value", ENDED) and isinstance(value, Mapping):
                outcomes[xcom.task_id] = value
                if xcom.task_id in DECIDED and isinstance(value.get("summary"), Mapping):
                    told.append(value["summary"])
            elif xcom.key == BECAUSE:
                lines[xcom.task_id] = str(value)
    if because := outcomes.get(WAKE, {}).get("summary", {}).get("because"):
        lines[WAKE] = str(because)
    return RunSoFar(outcomes, [(name, lines[name]) for name in tasks if name in lines], told)


def read_report(store: str, digest: str) -> bytes | None:
    """A page from the store, its digest verified.

    Parameters
    ----------
    store : str
        Store URL: ``file://`` or ``s3://``.
    digest : str
        From the address: anything but 64 hexadecimal digits names nothing.

    Returns
    -------
    bytes or None
        None where there is no such page, or its bytes are not what they were.
    """
    if re.fullmatch(r"[0-9a-f]{64}", digest) is None:
        return None
    page = blob(store, digest, MOST_BYTES)
    if page is None or hashlib.sha256(page).hexdigest() != digest:
        return None
    if page.startswith(CARD):
        return card_page(page)
    return page if is_page(page) else None


def card_page(card: bytes) -> bytes:
    """A model card, which is Markdown, as a page."""
    from markdown_it import MarkdownIt

    text = card.decode(errors="replace")
    title = text.partition("\n")[0].removeprefix("# ")
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    return simple_page(title, body).encode()


def is_page(data: bytes) -> bool:
    """Whether the bytes are an HTML page; a store also holds data and models."""
    return data[:64].lstrip().lower().startswith((b"<!doctype html", b"<html"))


def report_address(digest: str) -> str:
    """Where a browser finds a report."""
    return address(f"/report/{digest}")


def address(path: str) -> str:
    """Where a browser finds a page of ours, below the address Airflow is reached at."""
    base = urlsplit(os.environ.get("AIRFLOW__API__BASE_URL", "")).path.rstrip("/")
    return f"{base}{PREFIX}{path}"
