"""The cockpit's routes: boards as JSON, for those who may read their DAGs, and its files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from everfit.contracts.base import canonical_json
from everfit.contracts.spec.load import spec_paths
from everfit_airflow.settings_here import settings_here
from everfit_airflow.ui.boards import Boards
from everfit_airflow.ui.readers import visible
from everfit_airflow.ui.store_pages import readable

if TYPE_CHECKING:
    from fastapi import FastAPI

FILES = Path(__file__).with_name("cockpit")
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}

FRESH = {
    "Cache-Control": "private, no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
"""Kept by the browser, and asked for again each time by its ETag."""


def add_cockpit(app: FastAPI) -> None:
    """Give an application that knows its user the cockpit's routes."""
    from airflow.api_fastapi.core_api.security import get_user
    from fastapi import Depends, Header, HTTPException, Response

    boards: dict[str, Boards] = {}

    def known() -> Boards:
        store = settings_here().store
        return boards.setdefault(store, Boards(store))

    def given(data: bytes, asked: str | None, media_type: str = "application/json") -> Response:
        tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
        headers = FRESH | {"ETag": tag}
        if asked and tag in (one.strip().removeprefix("W/") for one in asked.split(",")):
            return Response(status_code=304, headers=headers)
        return Response(data, media_type=media_type, headers=headers)

    @app.get("/api/boards")
    def every_board(
        user: Any = Depends(get_user),  # noqa: B008
        if_none_match: str | None = Header(None),
    ) -> Response:
        found = known().read()
        specs = {path.stem for path in spec_paths(settings_here().pipelines)}
        seen = visible(user, {*found, *specs})
        document = {
            "boards": [
                board.row().model_dump(mode="json") for name, board in found.items() if name in seen
            ],
            "without": sorted((specs - found.keys()) & seen),
            "readable": readable(known().store),
        }
        return given(canonical_json(document), if_none_match)

    @app.get("/api/boards/{name}")
    def one_board(
        name: str,
        user: Any = Depends(get_user),  # noqa: B008
        if_none_match: str | None = Header(None),
    ) -> Response:
        board = known().read().get(name) if visible(user, {name}) else None
        if board is None:
            raise HTTPException(404, "There is no board of that name.")
        return given(canonical_json(board), if_none_match)

    @app.get("/cockpit/{name}")
    def file(name: str, if_none_match: str | None = Header(None)) -> Response:
        path = files().get(name)
        if path is None:
            raise HTTPException(404, "There is no such file.")
        return given(path.read_bytes(), if_none_match, TYPES[path.suffix])


def files() -> dict[str, Path]:
    """Name → file of the cockpit."""
    return {path.name: path for path in FILES.iterdir() if path.suffix in TYPES}
