"""``everfit serve``: answer requests with the champions, whichever the ledger names."""

from __future__ import annotations

import argparse
import os
from typing import TypedDict

from everfit.cli.arguments import from_one
from everfit.cli.command import Command, Group
from everfit.cli.terminal import Terminal


class Listening(TypedDict):
    """A server that has begun to answer."""

    address: str
    pipelines: dict[str, int | None]
    """Name → version; null where there is no champion yet."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which pipelines, where, and how much."""
    parser.add_argument("names", metavar="NAME", nargs="+", help="pipelines")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at (127.0.0.1); 0.0.0.0 in a container",
    )
    parser.add_argument(
        "--port", type=int, default=8000, metavar="N", help="its port (8000); 0: any that is free"
    )
    parser.add_argument(
        "--max-rows", type=from_one, default=10_000, metavar="N", help="rows of a request (10000)"
    )
    parser.add_argument(
        "--max-body", type=from_one, default=16, metavar="MIB", help="size of its body (16)"
    )
    parser.add_argument(
        "--timeout", type=from_one, default=30, metavar="S", help="seconds until its answer (30)"
    )
    parser.add_argument(
        "--log",
        metavar="PLACE",
        help="write predictions below this folder or s3://bucket/prefix, for everfit monitor",
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Answer until it is stopped."""
    from everfit.engine.context import pin_threads

    pin_threads(1)  # before any numerical library is imported
    from everfit.contracts.settings import Settings
    from everfit.operations.serving.app import Limits
    from everfit.operations.serving.following import Following
    from everfit.operations.serving.metrics import Metrics
    from everfit.operations.serving.prediction_log import PredictionFiles
    from everfit.operations.serving.run import listen, serve

    def say(line: str) -> None:
        terminal.line(line)
        terminal.close()

    names = tuple(dict.fromkeys(options.names))
    listening = listen(options.host, options.port)
    host, port = listening.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    metrics, settings = Metrics(), Settings.from_environment()
    following = Following(names, settings, metrics, say)

    def started() -> None:
        there = {name: following.version(name) for name in names}
        versions = {name: one.version if one else None for name, one in there.items()}
        terminal.document({"address": address, "pipelines": versions})
        say(f"Listening at {address}: POST {address}/v1/{names[0]}/predict")

    limits = Limits(options.max_rows, options.max_body, options.timeout)
    key = os.environ.get("EVERFIT_SERVE_API_KEY", "")
    with listening:
        log_files = (
            PredictionFiles(options.log, names, settings, metrics, say) if options.log else None
        )
        serve(following, metrics, listening, limits, key, log_files, started)
    say("Stopped.")
    return 0


COMMAND = Command(
    group=Group.OPERATE,
    help="answer requests with the champions, over HTTP",
    description="Answers requests for predictions with the champions of the pipelines named. Asks "
    "the ledger every two seconds who is champion; loads and verifies a new one beside the old "
    "one, and changes over without a failed request.",
    epilog="everfit serve taxi_fare --port 8000",
    add_arguments=add_arguments,
    run=run,
    answer=lambda: Listening,
    page="how-to/serving.md",
)
