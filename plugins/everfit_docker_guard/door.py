"""One request after the other: read, judged, and carried out or refused. An ASGI application."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import httpx
from starlette.responses import JSONResponse

from everfit_docker_guard import archive, shape
from everfit_docker_guard.calls import Call, read_call
from everfit_docker_guard.engine import Engine, EngineGone, Missing, labelled
from everfit_docker_guard.exchange import Left, Message, Receive, Request, Send, Told
from everfit_docker_guard.logins import Logins
from everfit_docker_guard.refusal import Refused
from everfit_docker_guard.settings import GuardSettings

log = logging.getLogger(__name__)

HEALTH = b"/_guard/health"
LARGEST_BODY = 1 << 20
"""Bytes of a JSON body."""

_PASSED = (
    "content-type",
    "x-docker-container-path-stat",
    "api-version",
    "ostype",
    "server",
    "docker-experimental",
)
"""Headers of the engine's that a client gets."""


class Door:
    """What stands before the engine.

    Parameters
    ----------
    engine : Engine
        What may be asked through it.
    settings : GuardSettings
        What is allowed.
    logins : Logins, optional
        Who may ask; without them whoever reaches it.
    """

    def __init__(
        self, engine: Engine, settings: GuardSettings, logins: Logins | None = None
    ) -> None:
        self._engine, self._settings = engine, settings
        self._logins = logins or Logins({})
        self._making = asyncio.Lock()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        told = Told(send)
        try:
            if scope["raw_path"] == HEALTH:
                await self._health()
                await JSONResponse({"status": "ok"})(scope, receive, told)
            else:
                request = Request(scope, receive)
                runner = self._logins.runner(request.headers)
                call = read_call(scope["method"], scope["raw_path"], scope["query_string"])
                await self._carry_out(call, request, told, runner)
        except Refused as refused:
            _log_refusal(scope, refused)
            await _answer(told, refused.status, str(refused))
        except Missing as missing:
            await told.whole(missing.status, missing.body)
        except EngineGone as gone:
            log.warning("GUARD engine: must answer; %s", gone)
            await _answer(told, 503, f"GUARD engine: the engine must answer; {gone}.")
        except Left:
            pass

    async def _health(self) -> None:
        status, _ = await self._engine.read("GET", "/_ping", patience=5.0)
        if status != 200:
            raise EngineGone(f"status {status}")

    async def _carry_out(
        self, call: Call, request: Request, told: Told, runner: str | None
    ) -> None:
        name = call.kind.name
        if name == "container.create":
            await self._create(call, request, told, runner)
        elif name == "container.list":
            target = call.target("/containers/json", {**call.query, "filters": self._filters(call)})
            await self._pass_on(call, request, told, target)
        elif name == "container.put":
            sent = archive.judged(await request.body(archive.LARGEST))
            found = await self._engine.ours(call, self._settings)
            target = call.target(f"/containers/{found['Id']}/archive")
            header = {"Content-Type": "application/x-tar"}
            await self._pass_on(call, request, told, target, sent, header)
        elif name == "container.inspect":
            found = await self._engine.ours(call, self._settings)
            # What it was given stays with it: variables hold credentials.
            found["Config"].pop("Env", None)
            await told.whole(200, json.dumps(found).encode())
        elif call.is_of_container:
            found = await self._engine.ours(call, self._settings)
            below = {"remove": ""}.get(name.partition(".")[2], call.kind.path.rpartition("/")[2])
            target = call.target(f"/containers/{found['Id']}" + (f"/{below}" if below else ""))
            await self._pass_on(call, request, told, target)
        elif name == "network.connect":
            await self._connect(call, request, told)
        else:
            await self._pass_on(
                call, request, told, self._target(call), None, _login(call, request)
            )

    def _target(self, call: Call) -> str:
        """Of what is asked of the engine itself, or of an image."""
        settings = self._settings
        if call.kind.name == "image.inspect":
            if not settings.allows_image(call.subject):
                raise Refused("image", "an image is one of images")
            return call.target(f"/images/{call.subject}/json")
        if call.kind.name == "image.pull":
            tag = call.query.get("tag", "")
            image = f"{call.query.get('fromImage', '')}{'@' if ':' in tag else ':'}{tag}"
            if not settings.pull:
                raise Refused("image", "images are not fetched here")
            if not tag or not settings.allows_image(image):
                raise Refused("image", "an image is one of images, with its tag or digest")
            return call.target("/images/create")
        return call.target({"ping": "/_ping", "version": "/version"}[call.kind.name])

    def _filters(self, call: Call) -> str:
        """What the client filters by, and by what is ours."""
        said = _loads(call.query.get("filters") or "{}")
        wanted: dict[str, list[str]] = {}
        for key, values in said.items() if isinstance(said, dict) else ():
            if key not in ("label", "name", "status", "id") or not isinstance(values, list | dict):
                raise Refused("container.list", "filters are label, name, status and id")
            wanted[key] = [str(value) for value in values]
        return labelled(self._settings, wanted)

    async def _create(self, call: Call, request: Request, told: Told, runner: str | None) -> None:
        name = call.query.get("name", "")
        said = _loads(await request.body(LARGEST_BODY))
        body = shape.judged(said, name, self._settings)
        component = body["Labels"][f"{shape.LABEL}component"]
        if runner is not None:
            may = self._settings.runners[runner].components
            if may is not None and component not in may:
                raise Refused("create", f"{runner} starts {', '.join(may) or 'nothing'} alone")
        async with self._making:
            if await self._engine.count(self._settings) >= self._settings.containers:
                raise Refused(
                    "create",
                    f"at most {self._settings.containers} containers are there at once",
                    "others must end first",
                    status=503,
                )
            await self._pass_on(
                call, request, told, call.target("/containers/create"), json.dumps(body).encode()
            )
        log.info("Created %s of %s for %s", name, body["Image"], runner or "anybody")

    async def _connect(self, call: Call, request: Request, told: Told) -> None:
        said = _loads(await request.body(LARGEST_BODY))
        named = said.pop("Container", None) if isinstance(said, dict) else None
        if not isinstance(named, str) or any(said.values()):
            raise Refused("network", "a container is connected by name or id, and nothing else")
        of_container = read_call("GET", f"{call.version}/containers/{named}/json".encode(), b"")
        found = await self._engine.ours(of_container, self._settings)
        component = str(found["Config"]["Labels"].get(f"{shape.LABEL}component", ""))
        if call.subject not in self._settings.networks_of(component):
            raise Refused("network", "a network is one of those that its component may use")
        if found["State"]["Status"] != "created":
            raise Refused("network", "a container is connected before it is started")
        body = json.dumps({"Container": found["Id"]}).encode()
        target = call.target(f"/networks/{call.subject}/connect")
        await self._pass_on(call, request, told, target, body)

    async def _pass_on(
        self,
        call: Call,
        request: Request,
        told: Told,
        target: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Ask the engine and hand its answer on as it comes, until it or the client ends."""
        if body is not None:
            headers = {"Content-Type": "application/json", **(headers or {})}
        patience = {"patience": None} if call.kind.streams else {}
        asking = asyncio.create_task(
            self._relay(call.kind.method, target, told, body=body, headers=headers, **patience)
        )
        leaving = asyncio.create_task(request.left())
        try:
            # A client that left would else hold a silent stream open for ever.
            await asyncio.wait({asking, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                raise Left
            await asking
        finally:
            for task in (asking, leaving):
                task.cancel()
            await asyncio.gather(asking, leaving, return_exceptions=True)

    async def _relay(self, method: str, target: str, told: Told, **more: Any) -> None:
        async with self._engine.asked(method, target, **more) as answer:
            await told.begin(answer.status_code, _headers(answer))
            async for piece in answer.aiter_raw():
                await told.more(piece)
        await told.end()


def _headers(answer: httpx.Response) -> list[tuple[bytes, bytes]]:
    passed = [
        (name.encode(), answer.headers[name].encode()) for name in _PASSED if name in answer.headers
    ]
    if answer.status_code in (204, 304):
        return passed
    length = answer.headers.get("content-length")
    return [*passed, (b"content-length", length.encode())] if length else passed


def _login(call: Call, request: Request) -> dict[str, str]:
    """Airflow's login to the images' registry, where a pull has one."""
    login = request.headers.get(b"x-registry-auth")
    if call.kind.name != "image.pull" or login is None or len(login) > 1 << 16:
        return {}
    return {"X-Registry-Auth": login.decode("latin-1")}


def _loads(text: bytes | str) -> Any:
    """JSON in which no name is said twice, and every number is one."""
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Refused("body", "a body is JSON, with every name once") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("twice")
    return made


def _no_constant(name: str) -> float:
    raise ValueError(name)


async def _answer(told: Told, status: int, line: str) -> None:
    await told.whole(status, json.dumps({"message": line}).encode())


def _log_refusal(scope: Message, refused: Refused) -> None:
    """Who asked for what, without query and body: they may hold secrets."""
    client = scope.get("client") or ("?",)
    path = scope["raw_path"].decode("ascii", "backslashreplace")[:200]
    log.warning("%s %s %r: %s", client[0], scope["method"], path, refused)
