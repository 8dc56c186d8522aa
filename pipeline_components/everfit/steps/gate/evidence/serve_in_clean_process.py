"""Load and predict as a server would: in another process, from the published bytes alone."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import everfit
from everfit.contracts.base import Digest
from everfit.contracts.errors import IntegrityError
from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.spec.metrics import Task
from everfit.engine.fingerprints import KERNEL_VARIABLES
from everfit.steps.gate.evidence.clean_process import ANSWER, STORE, TASK
from everfit.steps.gate.evidence.evidence import Served
from everfit.storage.store import Store
from everfit.storage.store.local import LocalStore

log = logging.getLogger(__name__)

SECONDS = 300.0
"""Longer than any model needs that is to answer requests."""
ATTEMPTS = 2
"""A process that was killed or was too slow is given one more chance: the machine may be why."""

_START = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); "
    "runpy.run_module('everfit.steps.gate.evidence.clean_process', run_name='__main__')"
)
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_KEPT = ("LD_LIBRARY_PATH", *_THREADS, *KERNEL_VARIABLES)


def try_serving(
    store: Store,
    model: Artifact,
    scratch: Path,
    *,
    sample: Digest,
    predictions: Digest,
    task: Task,
    estimators: Sequence[str] = (),
    timed: bool = False,
    seconds: float = SECONDS,
) -> Served:
    """Load and predict in a clean process.

    Parameters
    ----------
    store : Store
        Where the artifacts are; the process gets copies of these three alone.
    sample, predictions : Digest
        Raw rows as Parquet; the published predictions as JSON.
    task : str
        ``regression``, ``binary`` or ``multiclass``.
    estimators : sequence of str
        Import paths the spec names, which its types may be trusted for.
    timed : bool
        Whether predictions of one row are timed as well.
    seconds : float
        Wall time allowed for each attempt.

    Returns
    -------
    Served
        Never raises for what the model or the process did.
    """
    with tempfile.TemporaryDirectory(prefix="serve-", dir=scratch) as name:
        folder = Path(name)
        try:
            _furnish(folder, store, (model.digest, sample, predictions), scratch)
        except IntegrityError as error:
            return Served(False, f"{error.must[:1].upper()}{error.must[1:]}; {error.found}.")
        (folder / TASK).write_text(
            json.dumps(
                {
                    "model": model.model_dump(mode="json"),
                    "sample": sample,
                    "predictions": predictions,
                    "task": task,
                    "estimators": list(estimators),
                    "timed": timed,
                }
            )
        )
        reason = ""
        for _ in range(ATTEMPTS):
            reason = _attempt(folder, seconds)
            if not reason:
                return _answer(folder)
            log.warning("servability: %s", reason)
        return Served(False, reason)


def _furnish(folder: Path, store: Store, digests: tuple[Digest, ...], scratch: Path) -> None:
    """Copy the artifacts into a store of their own, verified on the way."""
    own = LocalStore(folder / STORE)
    for digest in digests:
        own.put("artifact", store.local(digest, scratch))


def _attempt(folder: Path, seconds: float) -> str:
    """Run the process once; a reason where it gave no answer."""
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment |= {
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        "OMP_WAIT_POLICY": "passive",
    }
    for name in _THREADS:
        environment.setdefault(name, "1")
    source = Path(everfit.__file__).parents[1]
    try:
        done = subprocess.run(  # noqa: S603 (our own interpreter and our own module)
            [sys.executable, "-I", "-c", _START, str(source), str(folder)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"The clean process did not finish within {seconds:g} seconds."
    if done.returncode != 0 or not (folder / ANSWER).is_file():
        log.debug("clean process: %s", done.stderr.decode(errors="replace")[-4000:])
        if done.returncode < 0:
            return f"The clean process was ended by signal {-done.returncode}."
        return f"The clean process ended with exit code {done.returncode} and no answer."
    return ""


def _answer(folder: Path) -> Served:
    try:
        told = json.loads((folder / ANSWER).read_bytes())
        times = [
            None if told.get(name) is None else float(told[name]) for name in ("p50_ms", "p95_ms")
        ]
        return Served(bool(told["same"]), str(told["reason"]), int(told["rows"]), *times)
    except (ValueError, KeyError, TypeError):
        return Served(False, "The clean process gave an answer that cannot be read.")
