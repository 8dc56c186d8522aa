"""What a component works with: its store, its ledger, a private folder and someone to tell."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline_components.clock import Clock, now
from pipeline_components.contracts.errors import UserError
from pipeline_components.contracts.settings import Settings
from pipeline_components.ledger import Ledger, open_ledger
from pipeline_components.progress import LogProgress, Progress
from pipeline_components.registry import check_address
from pipeline_components.source import Listing
from pipeline_components.store import Store, open_store


def _all(listing: Listing) -> Listing:
    return listing


@dataclass(frozen=True)
class Context:
    """Handed to every component; the only way it reaches anything outside its request."""

    settings: Settings
    store: Store
    ledger: Ledger
    progress: Progress
    scratch: Path
    """A private folder, gone when the component is."""
    clock: Clock = now
    visible: Callable[[Listing], Listing] = _all
    """What of a source's listing there is; a replay hides what had not arrived yet."""


@contextmanager
def open_context(settings: Settings, progress: Progress | None = None) -> Iterator[Context]:
    """Open store and ledger as the settings say, and close them after.

    Raises
    ------
    UserError
        If one of the places cannot be what the settings say.
    Unavailable
        If one does not answer.
    """
    check_address(settings)
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            "HOME", str(settings.home), "Everfit's folder must be one this user may make and write",
            error.strerror, "Correct its permissions, or set EVERFIT_HOME",
        ) from error  # fmt: skip
    with (
        tempfile.TemporaryDirectory(prefix="everfit-") as scratch,
        open_ledger(settings.ledger) as ledger,
    ):
        store = open_store(settings.store)
        yield Context(settings, store, ledger, progress or LogProgress(), Path(scratch))


def pin_threads(threads: int) -> None:
    """Fix the thread pools of numerical libraries; call before any of them is imported.

    Waiting threads sleep instead of spinning: on a busy machine that is an order of magnitude.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    os.environ["OMP_WAIT_POLICY"] = "passive"
