#!/usr/bin/env python3
"""An S3 server with the command line of VersityGW, as far as the stack uses it."""

import argparse
import logging
from collections.abc import Callable, Iterable
from typing import Any

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

options = argparse.ArgumentParser()
options.add_argument("--port", default=":7070")
options.add_argument("--health", default="/_/health")
options.add_argument("--quiet", action="store_true")
options.add_argument("backend", choices=["posix"])
options.add_argument("folder")
asked = options.parse_args()

logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = DomainDispatcherApplication(create_backend_app)


def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """S3, but for the page of health."""
    if environ["PATH_INFO"] == asked.health:
        start("200 OK", [("Content-Type", "text/plain")])
        return [b"OK"]
    return server(environ, start)


run_simple("0.0.0.0", int(asked.port.removeprefix(":")), application, threaded=True)
