"""``everfit serve``: answer requests with the champions, whichever the ledger names."""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import socket
import tempfile
from typing import TYPE_CHECKING, TypedDict

from everfit.cli.arguments import from_one
from everfit.cli.command import Command, Group
from everfit.cli.terminal import Terminal

if TYPE_CHECKING:
    from everfit.operations.serving.workers import Worker

log = logging.getLogger(__name__)


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
        "--rate-limit",
        type=from_one,
        metavar="N",
        help="requests a second that a client's address may make of each process (no limit)",
    )
    parser.add_argument(
        "--workers",
        type=from_one,
        default=1,
        metavar="N",
        help="processes that answer (1); one that dies is replaced",
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
    shared = tempfile.mkdtemp(prefix="everfit-serve-") if options.workers > 1 else ""
    if shared:  # before prometheus_client is imported
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = shared
    from everfit.operations.serving.run import listen
    from everfit.operations.serving.workers import Worker

    with listen(options.host, options.port) as listening:
        if not shared:
            return _work(options, terminal, listening, Worker())
        return _several(options, terminal, listening, shared)


def _several(
    options: argparse.Namespace, terminal: Terminal, listening: socket.socket, shared: str
) -> int:
    from prometheus_client.multiprocess import mark_process_dead

    from everfit.operations.serving.workers import fork_workers

    found = fork_workers(options.workers, mark_process_dead)
    if not isinstance(found, int):
        return _work(options, terminal, listening, found)
    shutil.rmtree(shared, ignore_errors=True)
    if found == 0:
        _say(terminal, "Stopped.")
    return found


def _work(
    options: argparse.Namespace, terminal: Terminal, listening: socket.socket, worker: Worker
) -> int:
    from everfit.contracts.settings import Settings
    from everfit.operations.serving.app import Limits
    from everfit.operations.serving.following import Following
    from everfit.operations.serving.metrics import Metrics
    from everfit.operations.serving.prediction_log import PredictionFiles
    from everfit.operations.serving.run import serve

    def say(line: str) -> None:
        if worker.is_first:
            _say(terminal, line)
        else:
            log.info("worker %d: %s", worker.number, line)

    names = tuple(dict.fromkeys(options.names))
    host, port = listening.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    metrics, settings = Metrics(), Settings.from_environment()
    following = Following(names, settings, metrics, say, worker.number)

    def started() -> None:
        there = {name: following.version(name) for name in names}
        versions = {name: one.version if one else None for name, one in there.items()}
        if worker.is_first:
            terminal.document({"address": address, "pipelines": versions})
        say(f"Listening at {address}: POST {address}/v1/{names[0]}/predict")
        worker.started()

    limits = Limits(options.max_rows, options.max_body, options.timeout, options.rate_limit)
    key = os.environ.get("EVERFIT_SERVE_API_KEY", "")
    log_files = PredictionFiles(options.log, names, settings, metrics, say) if options.log else None
    serve(following, metrics, listening, limits, key, log_files, started)
    if options.workers == 1:
        say("Stopped.")
    return 0


def _say(terminal: Terminal, line: str) -> None:
    terminal.line(line)
    terminal.close()


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
