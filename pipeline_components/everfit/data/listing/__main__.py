"""``python -m everfit.data.listing``: requests in, answers out, to the end.

``--parent PID`` serves the process that started it, ``--listen HOST:PORT`` a whole network, and
``--ping HOST:PORT`` asks whether such a service answers.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any, NoReturn

from everfit.contracts.errors import EverfitError
from everfit.contracts.settings import Settings
from everfit.data.listing.answers import LOOKING, WAITING, answer

PARENT = 2.0
"""Seconds between two looks at whether the process that asked for this one is still there."""


def main() -> None:
    """Serve whom the arguments name."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    told = argparse.ArgumentParser(description="Looks at sources for another process.")
    told.add_argument("--listen", metavar="HOST:PORT", help="serve who connects there")
    told.add_argument("--ping", metavar="HOST:PORT", help="exit 0 where such a service answers")
    # Told, and not asked for later: it may have gone before that line.
    told.add_argument("--parent", type=int, default=os.getppid(), help="whom to end with")
    options = told.parse_args()
    if options.listen is None and options.ping is None:
        _serve_parent(options.parent)
    from everfit.data.listing import service

    try:
        if options.ping is not None:
            sys.exit(0 if service.ping(options.ping) else 1)
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        service.listen(options.listen, Settings.from_environment())
    except KeyboardInterrupt:
        os._exit(0)  # looks under way are waited for by nobody
    except EverfitError as error:
        sys.stderr.write(f"{error.line}\n")
        sys.exit(error.exit_code)
    except OSError as error:
        sys.exit(f"LISTER {options.listen}: the address must be free; {error.strerror or error}.")


def _serve_parent(parent: int) -> NoReturn:
    """Serve until the input ends or the parent is gone, then end at once, whatever is under way."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the triggerer, which then ends us
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no answer
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    serve(sys.stdin.buffer, answers, Settings.from_environment())
    os._exit(0)


def serve(requests: IO[bytes], answers: IO[str], settings: Settings) -> None:
    """Answer every line; each on its own thread, as soon as it is done."""
    writing = threading.Lock()

    def handle(line: bytes) -> None:
        _write(answers, writing, answer(_read(line), settings))

    looking = ThreadPoolExecutor(LOOKING, "look")
    waiting = ThreadPoolExecutor(WAITING, "wait")
    for line in requests:
        if line.strip():
            # Only a way to keep apart what takes long; the request itself is read by the thread.
            pool = waiting if b'"receive"' in line else looking
            pool.submit(handle, line)
    looking.shutdown(wait=False, cancel_futures=True)
    waiting.shutdown(wait=False, cancel_futures=True)


def _read(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _write(answers: IO[str], lock: threading.Lock, value: dict[str, Any]) -> None:
    text = json.dumps(value)
    try:
        with lock:
            answers.write(text + "\n")
            answers.flush()
    except (BrokenPipeError, ValueError):
        os._exit(0)  # nobody listens any more


def _end_with(parent: int) -> None:
    """End when the parent has: another process may hold its end of the pipe open."""
    while os.getppid() == parent:
        time.sleep(PARENT)
    os._exit(0)


if __name__ == "__main__":
    main()
