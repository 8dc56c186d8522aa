"""What a component works with: its store, its ledger, a private folder and someone to tell."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from everfit.contracts.clock import Clock, now
from everfit.contracts.errors import UserError
from everfit.contracts.settings import Settings
from everfit.engine.progress import LogProgress, Progress
from everfit.storage.deployment import refuse_other_store
from everfit.storage.ledger import Ledger, open_ledger
from everfit.storage.mlflow import check_address
from everfit.storage.scratch import scratch_folder
from everfit.storage.store import Store, open_store

if TYPE_CHECKING:  # steps that read no source do not depend on how sources are read
    from everfit.data.sources import Listing


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
    is_real: bool = True
    """Whether store and registry follow this ledger; a replay's is a ledger of its own."""


@contextmanager
def open_context(
    settings: Settings, progress: Progress | None = None, *, may_be_lost: bool = False
) -> Iterator[Context]:
    """Open store and ledger as the settings say, and close them after.

    Parameters
    ----------
    may_be_lost : bool
        Open a ledger also where the store beside it is lost: to say what is missing.

    Raises
    ------
    UserError
        If one of the places cannot be what the settings say, or they are of two deployments.
    Unavailable
        If one does not answer.
    """
    check_address(settings)
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            "HOME",
            str(settings.home),
            "Everfit's folder must be one this user may make and write",
            error.strerror,
            "Correct its permissions, or set EVERFIT_HOME",
        ) from error
    with (
        scratch_folder() as scratch,
        open_ledger(settings.ledger) as ledger,
    ):
        store = open_store(settings.store)
        if not may_be_lost:
            refuse_other_store(ledger, store)
        yield Context(settings, store, ledger, progress or LogProgress(), scratch)


def pin_threads(threads: int) -> None:
    """Fix the thread pools of numerical libraries; call before any of them is imported.

    Waiting threads sleep instead of spinning: on a busy machine that is an order of magnitude.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    os.environ["OMP_WAIT_POLICY"] = "passive"
