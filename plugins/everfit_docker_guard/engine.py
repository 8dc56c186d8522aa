"""The engine behind the guard: asked over its socket, in requests of the guard's own making."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from everfit_docker_guard.calls import Call
from everfit_docker_guard.refusal import Refused
from everfit_docker_guard.settings import GuardSettings
from everfit_docker_guard.shape import LABEL, OURS

PATIENCE = 120.0
"""Seconds for an answer that is not a stream."""


class EngineGone(Exception):
    """It does not answer."""


class Missing(Exception):
    """There is no such container; the engine's own answer."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status, self.body = status, body
        super().__init__(status)


class Engine:
    """A Docker engine at a socket of this machine.

    Parameters
    ----------
    socket : str
        Its path.
    """

    def __init__(self, socket: str) -> None:
        # Followed logs hold their connections for as long as components work.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=16)
        self._client = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=socket, limits=limits),
            base_url="http://docker",
            trust_env=False,
            follow_redirects=False,
            headers={"Accept-Encoding": "identity", "User-Agent": "everfit-docker-guard"},
        )

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    @asynccontextmanager
    async def asked(
        self,
        method: str,
        target: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        patience: float | None = PATIENCE,
    ) -> AsyncIterator[httpx.Response]:
        """Ask, and give the answer while it still comes.

        Raises
        ------
        EngineGone
            If the engine cannot be reached.
        """
        timeout = httpx.Timeout(10.0, read=patience)
        try:
            async with self._client.stream(
                method, target, content=body, headers=dict(headers or {}), timeout=timeout
            ) as answer:
                yield answer
        except httpx.HTTPError as error:
            raise EngineGone(type(error).__name__) from error

    async def read(self, method: str, target: str, **more: Any) -> tuple[int, bytes]:
        """Ask, and give status and body of the whole answer."""
        async with self.asked(method, target, **more) as answer:
            return answer.status_code, await answer.aread()

    async def ours(self, call: Call, settings: GuardSettings) -> dict[str, Any]:
        """The container a call is about, as the engine describes it, by name or id.

        What follows is asked by its id: the name may be another's in the next moment.

        Raises
        ------
        Missing
            If there is none.
        Refused
            If this guard has not made it.
        """
        status, body = await self.read(
            "GET", call.target(f"/containers/{call.subject}/json", query={})
        )
        if status != 200:
            raise Missing(status, body)
        found = json.loads(body)
        labels = found["Config"].get("Labels") or {}
        if labels.get(OURS) != settings.name or f"{LABEL}task" not in labels:
            raise Refused(call.kind.name, "a container is one that was made here")
        return dict(found)

    async def count(self, settings: GuardSettings) -> int:
        """How many containers there are, ended ones too."""
        asked = httpx.QueryParams(all="1", filters=labelled(settings))
        status, body = await self.read("GET", f"/containers/json?{asked}")
        if status != 200:
            raise EngineGone(f"status {status}")
        return len(json.loads(body))


def labelled(settings: GuardSettings, further: Mapping[str, Any] | None = None) -> str:
    """A filter that only ours pass, and of these what is asked for besides."""
    asked = dict(further or {})
    labels = [f"{OURS}={settings.name}", f"{LABEL}task", *asked.pop("label", ())]
    return json.dumps({"label": labels, **asked})
