"""``python -m everfit.operations.reproduce``: rebuild one version in a process of its own.

``everfit reproduce`` starts it with the code, the environment and the variables of the record;
flags and files are few, as an Everfit of years later starts this one.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from everfit.contracts.base import canonical_json
from everfit.contracts.errors import EXIT_RETRY, EverfitError, Unavailable, UserError, from_system
from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.dossier import Dossier
from everfit.contracts.settings import Settings
from everfit.engine.context import Context, pin_threads
from everfit.engine.fingerprints import code_digest, environment, environment_digest, run_key
from everfit.operations.reproduce.rebuild import rebuild
from everfit.operations.reproduce.recorded_run import unreadable
from everfit.storage.store import Store, open_store


class LineProgress:
    """A line of JSON on standard output, at most ten a second."""

    def __init__(self) -> None:
        self._last = 0.0

    def update(self, what: str, done: float, total: float) -> None:
        """Tell who started this process."""
        now = time.monotonic()
        if now - self._last >= 0.1 or done >= total:
            self._last = now
            sys.stdout.write(json.dumps({"what": what, "done": done, "total": total}) + "\n")
            sys.stdout.flush()


def main(arguments: list[str] | None = None) -> int:
    """Rebuild, and leave the answer, or what is wrong, in a file."""
    parser = argparse.ArgumentParser(prog="python -m everfit.operations.reproduce")
    parser.add_argument("--dossier", required=True, help="digest of what is rebuilt")
    parser.add_argument("--called", required=True, help="what to call it in messages")
    parser.add_argument("--answer", type=Path, required=True, help="where to write the answer")
    parser.add_argument("--keep", type=Path, help="a folder for what is made")
    parser.add_argument("--here", action="store_true", help="whatever code and environment this is")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")
    try:
        _answer(options)
    except EverfitError as error:
        return _failed(options.answer, error)
    except ValidationError:
        return _failed(options.answer, unreadable(options.called, "a recorded document"))
    except OSError as error:
        return _failed(options.answer, from_system(error))
    except Exception as error:
        logging.getLogger(__name__).exception("details")
        found = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"[:300]
        where, must = options.called, "the rebuild must not fail"
        return _failed(options.answer, Unavailable("REPRODUCE-DEFECT", where, must, found))
    return 0


def _answer(options: argparse.Namespace) -> None:
    settings = Settings.from_environment()
    store = open_store(settings.store)
    try:
        dossier = Dossier.model_validate_json(store.get(options.dossier))
    except ValidationError as error:
        raise unreadable(options.called, "its dossier") from error
    # Before numpy is imported.
    pin_threads(dossier.request.spec.train.threads)
    if not options.here:
        _check(dossier, options.called)
    with tempfile.TemporaryDirectory(prefix="everfit-reproduce-") as scratch:
        # The ledger is the rebuild's own; the real one is not asked.
        context = Context(settings, store, None, LineProgress(), Path(scratch))  # type: ignore[arg-type]
        rebuilt = rebuild(dossier, options.called, context, _keeper(options.keep))
    options.answer.write_bytes(canonical_json(rebuilt))


def _check(dossier: Dossier, called: str) -> None:
    """Be what is recorded: the code, the environment, and with both the run key."""
    request = dossier.request
    if (code := code_digest("run")) != request.code:
        raise UserError(
            "REPRODUCE-CODE",
            called,
            f"the code must be that of digest {request.code[:12]}",
            f"it is {code[:12]}",
            "Try with the code of here: --here",
        )
    if environment_digest() != request.environment:
        wanted, here = dossier.environment, environment()
        other = sorted(name for name in wanted.keys() | here if wanted.get(name) != here.get(name))
        found = ", ".join(f"{n} {wanted.get(n, 'unset')} → {here.get(n, 'unset')}" for n in other)
        raise UserError(
            "REPRODUCE-ENVIRONMENT",
            called,
            "the environment must be the recorded one",
            found or "its digest is another",
            "Try with what is here: --here",
        )
    if request.spec.gate.checks:  # of the user's own code, which judges and is in no model
        return
    if dossier.judged is not None:  # its key is that of the judged run, which is rebuilt first
        return
    key = run_key(request.spec, request.window, request.holdout, request.code, request.environment)
    if key != request.run_key:
        raise UserError(
            "REPRODUCE-RECORD",
            called,
            f"spec, spans, code and environment must give the run key {request.run_key[:12]}",
            f"they give {key[:12]}",
            "Look who changed the dossier",
        )


def _keeper(folder: Path | None) -> Callable[[Artifact, Store], None]:
    """Copies each artifact into a folder, where one is named."""

    def keep(artifact: Artifact, store: Store) -> None:
        if folder is not None:
            with tempfile.TemporaryDirectory() as scratch:
                shutil.copyfile(store.local(artifact.digest, Path(scratch)), folder / artifact.name)

    return keep


def _failed(answer: Path, error: EverfitError) -> int:
    parts: dict[str, Any] = {
        name: getattr(error, name) for name in ("code", "where", "must", "found", "todo")
    }
    answer.write_bytes(canonical_json({"error": parts}))
    return error.exit_code or EXIT_RETRY


if __name__ == "__main__":
    sys.exit(main())
