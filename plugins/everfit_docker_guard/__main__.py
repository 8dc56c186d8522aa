"""``python -m everfit_docker_guard``: listens until it is ended.

``--health`` asks the one that listens on this machine whether its engine answers.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys

from everfit_docker_guard.settings import (
    DEFAULT_LISTEN,
    DEFAULT_SOCKET,
    LISTEN,
    SOCKET,
    SettingsError,
    read_settings,
)

CONNECTIONS = 2000
"""At once; a further one gets 503, and comes again."""


def main() -> int:
    """Serve, or ask whether it is served."""
    told = argparse.ArgumentParser(prog="everfit_docker_guard", description=__doc__)
    told.add_argument("--health", action="store_true", help="exit 0 where guard and engine answer")
    options = told.parse_args()
    address = os.environ.get(LISTEN) or DEFAULT_LISTEN
    host, _, port = address.rpartition(":")
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536 or not host:
        sys.stderr.write(f"GUARD {LISTEN}: must be host:port; it is {address!r}.\n")
        return 2
    host = host.removeprefix("[").removesuffix("]")
    return _health(host, int(port)) if options.health else _serve(host, int(port))


def _serve(host: str, port: int) -> int:
    import uvicorn

    from everfit_docker_guard.door import Door
    from everfit_docker_guard.engine import Engine
    from everfit_docker_guard.logins import read_logins

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("everfit_docker_guard").setLevel(logging.INFO)
    try:
        settings = read_settings(os.environ)
        logins = read_logins(settings)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    door = Door(Engine(os.environ.get(SOCKET) or DEFAULT_SOCKET), settings, logins)
    log = logging.getLogger("everfit_docker_guard")
    by_need = [f"{name} ({need})" for need, name in settings.by_need if name]
    log.info(
        "Listens on %s for %s; images %s; networks %s",
        f"{host}:{port}",
        ", ".join(settings.runners) or "anybody",
        ", ".join(settings.images) or "none",
        ", ".join([*settings.networks, *by_need]) or "none",
    )
    if not settings.runners:
        log.warning("No runner has a token: whoever reaches this port may start components")
    uvicorn.run(
        door,
        host=host,
        port=port,
        http="h11",
        ws="none",
        lifespan="off",
        interface="asgi3",
        proxy_headers=False,
        server_header=False,
        date_header=False,
        access_log=False,
        log_config=None,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=2,
    )
    return 0


def _health(host: str, port: int) -> int:
    import httpx

    here = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104
    try:
        answer = httpx.get(f"http://{here}:{port}/_guard/health", timeout=10, trust_env=False)
    except httpx.HTTPError as error:
        sys.stderr.write(f"GUARD {here}:{port}: must answer; {type(error).__name__}.\n")
        return 1
    if answer.status_code != 200:
        sys.stderr.write(answer.text + "\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
