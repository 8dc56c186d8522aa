"""The routes of the prediction server."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from everfit.contracts.errors import shortlist
from everfit.contracts.version import VERSION
from everfit.operations.serving.answer import Answer, answer_records, answer_tensors
from everfit.operations.serving.following import Following
from everfit.operations.serving.loaded import LoadedVersion
from everfit.operations.serving.metrics import Metrics
from everfit.operations.serving.openapi import describe
from everfit.operations.serving.prediction_log import PredictionFiles
from everfit.operations.serving.rates import Rates
from everfit.operations.serving.row_path.functions import NotCompiled
from everfit.operations.serving.rows import Problem
from everfit.operations.serving.tensors import metadata

log = logging.getLogger(__name__)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")

MOST_BYTES_AT_ONCE = 64 << 10
"""Of a body that is answered where it is read, if its rows need no table: in less than the time
that it takes to hand it to another thread."""

_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))

Answering = Callable[[LoadedVersion, bytes, str, int, bool], Answer]
Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Limits:
    """How much one request may ask for.

    Attributes
    ----------
    rows : int
    megabytes : int
        Of the body.
    seconds : float
        From the head of the request to its answer, the wait for others included.
    per_second : int or None
        Requests that a client's address may make of one process.
    """

    rows: int = 10_000
    megabytes: int = 16
    seconds: float = 30.0
    per_second: int | None = None


class Server:
    """Answers requests with the versions that ``following`` has verified.

    A few rows are predicted where the request is read. Others, which need a table, are predicted
    one request after the other, in one thread beside: models hold the interpreter for most of
    their time, so more threads would only make all of them slow. More processes make it faster.

    Parameters
    ----------
    following : Following
    metrics : Metrics
    limits : Limits
    key : str
        The key that requests must bear; empty: none.
    log_files : PredictionFiles or None
        Where predictions are logged.
    """

    def __init__(
        self,
        following: Following,
        metrics: Metrics,
        limits: Limits,
        key: str = "",
        log_files: PredictionFiles | None = None,
    ) -> None:
        self._following, self._metrics, self._limits = following, metrics, limits
        self._key, self._log_files = key.encode(), log_files
        self._rates = Rates(limits.per_second) if limits.per_second else None
        self._model_thread = ThreadPoolExecutor(1, thread_name_prefix="model")

    def app(self) -> FastAPI:
        """The routes."""
        app = FastAPI(
            title="Everfit", version=VERSION, openapi_url=None, docs_url=None, redoc_url=None
        )
        get: dict[str, Handler] = {
            "/healthz": self._live,
            "/readyz": self._ready,
            "/metrics": self._metrics_text,
            "/openapi.json": self._openapi,
            "/v2": self._v2_server,
            "/v2/health/live": self._live,
            "/v2/health/ready": self._ready,
            "/v2/models/{name}": self._v2_model,
            "/v2/models/{name}/ready": self._v2_model_ready,
        }
        post: dict[str, Handler] = {
            "/v1/{name}/predict": self._v1_predict,
            "/v2/models/{name}/infer": self._v2_infer,
        }
        # Starlette's own routes, predictions first: FastAPI's take a third of the time of a row.
        for method, routes in (("POST", post), ("GET", get)):
            for path, handler in routes.items():
                app.add_route(path, handler, methods=[method])
        app.add_exception_handler(HTTPException, _no_route)
        return app

    def close(self) -> None:
        """Let the thread of the models go."""
        self._model_thread.shutdown(wait=False, cancel_futures=True)

    async def _live(self, request: Request) -> Response:  # noqa: ARG002
        return _json({"live": True})

    async def _ready(self, request: Request) -> Response:  # noqa: ARG002
        status = self._following.status()
        return _json(status, 200 if self._following.is_ready else 503)

    async def _metrics_text(self, request: Request) -> Response:  # noqa: ARG002
        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def _openapi(self, request: Request) -> Response:
        try:
            self._let_in(request)
        except Problem as problem:
            return _problem(problem, "")
        there = [self._following.version(name) for name in self._following.names]
        versions = [one for one in there if one is not None]
        return _json(describe(versions, self._limits.rows, with_key=bool(self._key)))

    async def _v2_server(self, request: Request) -> Response:  # noqa: ARG002
        return _json({"name": "everfit", "version": VERSION, "extensions": []})

    async def _v2_model(self, request: Request) -> Response:
        try:
            self._let_in(request)
            return _json(metadata(self._version(request.path_params["name"])))
        except Problem as problem:
            return _v2_problem(problem, "")

    async def _v2_model_ready(self, request: Request) -> Response:
        name = request.path_params["name"]
        try:
            self._version(name)
        except Problem as problem:
            return _v2_problem(problem, "")
        return _json({"name": name, "ready": True})

    async def _v1_predict(self, request: Request) -> Response:
        return await self._answer(request, answer_records, _problem)

    async def _v2_infer(self, request: Request) -> Response:
        return await self._answer(request, answer_tensors, _v2_problem)

    async def _answer(
        self,
        request: Request,
        answering: Answering,
        refuse: Callable[[Problem, str], Response],
    ) -> Response:
        """Answer a request for predictions, whatever happens, and count it."""
        began = time.perf_counter()
        request_id = _request_id(request)
        name = request.path_params["name"]
        try:
            response = await self._predict(request, name, answering, request_id)
        except Problem as problem:
            response = refuse(problem, request_id)
        except ClientDisconnect:
            response = refuse(Problem(400, "GONE", "The client went away."), request_id)
        except Exception as error:  # its text may hold a value of the request: it is not logged
            log.error("request %s: %s", request_id, type(error).__name__)
            defect = Problem(500, "DEFECT", f"The model failed: {type(error).__name__}.")
            response = refuse(defect, request_id)
        response.headers["X-Request-ID"] = request_id
        if response.status_code == 429:
            response.headers["Retry-After"] = "1"
        counted = name if name in self._following.names else ""
        self._metrics.request(counted, response.status_code, time.perf_counter() - began)
        return response

    async def _predict(
        self, request: Request, name: str, answering: Answering, request_id: str
    ) -> Response:
        if self._rates is not None and not self._rates.allows(_client(request)):
            raise Problem(
                429, "RATE", f"A client may make {self._limits.per_second:,} requests a second."
            )
        self._let_in(request)
        version = self._version(name)
        body: bytes | None = None
        try:
            async with asyncio.timeout(self._limits.seconds):
                body = await self._body(request)
                found = self._at_once(answering, version, body, request_id)
                if found is None:
                    found = await asyncio.get_running_loop().run_in_executor(
                        self._model_thread, self._work, answering, version, body, request_id
                    )
                answer, text = found
        except TimeoutError:
            if body is None:
                raise Problem(408, "SLOW-BODY", "The body did not arrive in time.") from None
            raise Problem(
                504, "TIMEOUT", f"There was no answer within {self._limits.seconds:g} s."
            ) from None
        self._metrics.answered(answer)
        if self._log_files is not None:
            self._log_files.add(answer)
        return Response(text, media_type="application/json")

    def _at_once(
        self, answering: Answering, version: LoadedVersion, body: bytes, request_id: str
    ) -> tuple[Answer, bytes] | None:
        """The answer to a few rows; None where they need a table."""
        if version.by_row is None or len(body) > MOST_BYTES_AT_ONCE:
            return None
        try:
            return self._work(answering, version, body, request_id, by_frame=False)
        except NotCompiled:
            return None

    def _work(
        self,
        answering: Answering,
        version: LoadedVersion,
        body: bytes,
        request_id: str,
        by_frame: bool = True,
    ) -> tuple[Answer, bytes]:
        answer = answering(version, body, request_id, self._limits.rows, by_frame)
        return answer, _dumped(answer.document)

    async def _body(self, request: Request) -> bytes:
        limit = self._limits.megabytes << 20
        too_large = Problem(
            413, "BODY-SIZE", f"A body may have {self._limits.megabytes} MiB. Split the request."
        )
        if request.headers.get("content-encoding", "identity") != "identity" or (
            "inference-header-content-length" in request.headers
        ):
            raise Problem(415, "ENCODING", "The body must be plain JSON, not packed or binary.")
        announced = request.headers.get("content-length", "0")
        if announced.isdecimal() and int(announced) > limit:
            raise too_large
        parts, size = [], 0
        async for part in request.stream():
            size += len(part)
            if size > limit:
                raise too_large
            parts.append(part)
        return b"".join(parts)

    def _let_in(self, request: Request) -> None:
        """Make sure that the request bears the key, compared in constant time."""
        if not self._key:
            return
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        given = token.strip() if scheme.lower() == "bearer" else ""
        given = given or request.headers.get("x-api-key", "")
        if not hmac.compare_digest(given.encode(), self._key):
            raise Problem(
                401, "API-KEY", "Send the key as Authorization: Bearer KEY, or as X-API-Key."
            )

    def _version(self, name: str) -> LoadedVersion:
        version = self._following.version(name)
        if version is not None:
            return version
        if name in self._following.names:
            raise Problem(503, "NO-CHAMPION", f"{name} has no champion yet.")
        there = shortlist(self._following.names)
        raise Problem(404, "UNKNOWN", f"This server has no such pipeline; it has {there}.")


def _request_id(request: Request) -> str:
    """The id the client gave, if it can stand in a log; else a new one."""
    given = request.headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _client(request: Request) -> str:
    return request.client.host if request.client else ""


def _dumped(document: Any) -> bytes:
    return _ENCODER.encode(document).encode()


def _json(document: Any, status: int = 200) -> Response:
    return Response(_dumped(document), status, media_type="application/json")


def _problem(problem: Problem, request_id: str) -> Response:
    response = _json(problem.document() | {"request_id": request_id}, problem.status)
    if problem.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _v2_problem(problem: Problem, request_id: str) -> Response:
    """The same as the Open Inference Protocol has it: a text under ``error``, beside ours."""
    document = {"error": problem.message} | problem.document() | {"request_id": request_id}
    return _json(document, 400 if problem.status == 422 else problem.status)


async def _no_route(request: Request, error: Exception) -> Response:  # noqa: ARG001
    assert isinstance(error, HTTPException)
    return _json({"code": "ROUTE", "message": str(error.detail)}, error.status_code)
