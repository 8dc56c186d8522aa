"""The reports as pages of Airflow's own web server, for users who are logged in.

Every Airflow process imports this module, so the web framework is loaded with the first request.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, MutableMapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from everfit.contracts.messages.chain import CHAIN, MONITORING
from everfit.contracts.messages.monitoring import SCRIPTED_PAGE
from everfit.contracts.messages.steps import Ended, Outcome, read_outcome
from everfit.contracts.messages.summaries import Summary
from everfit_airflow.settings_here import settings_here
from everfit_airflow.ui.readers import (
    LISTED,
    OF_ALL,
    OF_ONE,
    RETURNED,
    Readers,
    dag_of,
    pipeline_of,
    readable_dags,
)
from everfit_airflow.ui.run_tab import (
    BECAUSE,
    DECIDED,
    ENDED,
    REPORTS,
    WAKE,
    RunSoFar,
    run_tab,
)
from everfit_airflow.ui.store_pages import blob, readable

PREFIX = "/everfit"
MOST_BYTES = 64 << 20
"""A larger blob is no report."""

HEADERS = {
    # A report is only ever looked at: no scripts, no network, no frames. Without scripts its origin
    # may be ours, and must be: from any other a browser follows a link without Airflow's cookie.
    "Content-Security-Policy": "sandbox allow-same-origin allow-popups "
    "allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, max-age=86400, immutable",
}

DATA = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}

SCRIPTED = HEADERS | {
    # Evidently's page draws itself: its own scripts run, in an origin of their own; none fetches.
    "Content-Security-Policy": "sandbox allow-scripts; default-src 'none'; "
    "script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
}

ANEW = {"Cache-Control": "private, no-store"}
"""A run goes on; its tab must be read anew."""

SCRIPT = Path(__file__).with_name("run_tab.js")
"""The tab of a run, drawn by Airflow's own page."""

Mode = Literal["light", "dark"]
"""Of colours, as Airflow's page has it."""

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
    """The web application; only users who are logged in reach it, and only what they may read."""
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
    from airflow.api_fastapi.core_api.security import get_user, requires_access_dag
    from fastapi import Depends, FastAPI, HTTPException, Response

    from everfit_airflow.ui.board_routes import add_cockpit
    from everfit_airflow.ui.glossary import glossary_page

    somebody = Depends(get_user)
    readers = Readers()
    absent = HTTPException(404, "There is no such report in the store.")

    def page_of(digest: str, mode: Mode | None) -> Response:
        page = read_report(settings_here().store, digest)
        if page is None:
            raise absent
        headers = headers_of(page)
        return Response(in_mode(page, mode), media_type="text/html; charset=utf-8", headers=headers)

    app = FastAPI(
        title="Everfit reports",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[somebody],
    )

    @app.get("/report/{digest}")
    def report(digest: str, mode: Mode | None = None, user: Any = somebody) -> Response:
        page = page_of(digest, mode)
        if not readers.may_read(user, digest):
            raise absent  # as for one that is not there
        return page

    may_read = Depends(requires_access_dag("GET", DagAccessEntity.XCOM))

    @app.get("/runs/{dag_id}/{run_id}", dependencies=[may_read])
    def run(dag_id: str, run_id: str, user: Any = somebody) -> Response:
        seen = run_for(user, dag_id, run_id)
        state = run_tab(seen, readable=readable(settings_here().store))
        return Response(json.dumps(state), media_type="application/json", headers=DATA | ANEW)

    @app.get("/runs/{dag_id}/{run_id}/{report}", dependencies=[may_read])
    def report_of_run(
        dag_id: str, run_id: str, report: str, mode: Mode | None = None, user: Any = somebody
    ) -> Response:
        digest = run_for(user, dag_id, run_id).digest(report) if report in REPORTS else None
        return page_of(digest or "", mode)

    @app.get("/run_tab.js")
    def script() -> Response:
        return Response(SCRIPT.read_bytes(), media_type="text/javascript", headers=DATA | ANEW)

    @app.get("/glossary")
    def glossary() -> Response:
        return Response(glossary_page(), media_type="text/html; charset=utf-8", headers=HEADERS)

    add_cockpit(app)
    return app


def in_mode(page: bytes, mode: Mode | None) -> bytes:
    """The page in Airflow's light or dark mode; without one, as the browser prefers."""
    return page.replace(b"<html", f'<html data-theme="{mode}"'.encode(), 1) if mode else page


def headers_of(page: bytes) -> dict[str, str]:
    """What a browser is told a page may do: nothing, but for one that draws itself."""
    return SCRIPTED if page.startswith(SCRIPTED_PAGE) else HEADERS


def run_for(user: Any, dag_id: str, run_id: str) -> RunSoFar:
    """What a run has left, and of a run for many pipelines only what the user may read."""
    if dag_id.endswith(OF_ONE) or not dag_id.startswith(OF_ALL):
        return run_so_far(dag_id, run_id)  # whoever asks may read the DAG
    return run_so_far(dag_id, run_id, lambda dags: readable_dags(user, dags))


def run_so_far(
    dag_id: str, run_id: str, may: Callable[[Iterable[str]], Collection[str]] | None = None
) -> RunSoFar:
    """What a run has left in Airflow's database.

    Parameters
    ----------
    dag_id, run_id : str
        Of the run.
    may : callable, optional
        Gives those of the DAGs that the reader may read; what was left for the pipeline of another
        is then left out.
    """
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    outcomes: dict[str, Outcome | Ended] = {}
    lines: dict[str, str] = {}
    decided: list[Summary] = []
    tasks = [*dict.fromkeys([*CHAIN, *MONITORING, "approve", *DECIDED]), WAKE]
    query = XComModel.get_many(run_id=run_id, dag_ids=dag_id, task_ids=[*tasks, LISTED])
    with create_session() as session:
        left: list[Any] = list(session.scalars(query))
        found = [(xcom, XComModel.deserialize_value(xcom)) for xcom in left]
        if may is not None:
            found = _of_readable(found, dag_id, may)
        for xcom, value in found:
            if xcom.task_id == LISTED:
                continue
            if xcom.key == BECAUSE:
                lines[xcom.task_id] = str(value)
            elif xcom.key in (RETURNED, ENDED) and (outcome := read_outcome(value)):
                outcomes[xcom.task_id] = outcome
                if xcom.task_id in DECIDED and isinstance(outcome, Outcome) and outcome.summary:
                    decided.append(outcome.summary)
    wake = outcomes.get(WAKE)
    if isinstance(wake, Outcome) and wake.summary and wake.summary.because:
        lines[WAKE] = wake.summary.because
    return RunSoFar(outcomes, [(name, lines[name]) for name in tasks if name in lines], decided)


def _of_readable(
    found: list[tuple[Any, Any]], dag_id: str, may: Callable[[Iterable[str]], Collection[str]]
) -> list[tuple[Any, Any]]:
    listed: list[Any] = next((value for xcom, value in found if xcom.task_id == LISTED), [])
    owners = [
        dag_of(dag_id, pipeline_of(xcom, read_outcome(value), listed)) for xcom, value in found
    ]
    seen = may({owner for owner in owners if owner})
    return [one for one, owner in zip(found, owners, strict=True) if owner in seen]


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
    return page if is_page(page) else None


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
