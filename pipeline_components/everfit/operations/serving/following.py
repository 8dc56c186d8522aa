"""The champion is followed: every few seconds the ledger is asked which version should answer."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from everfit.champion.lookup import known_pipeline
from everfit.contracts.base import Digest
from everfit.contracts.clock import iso, now
from everfit.contracts.errors import EverfitError, IntegrityError, Unavailable, from_system, told
from everfit.contracts.settings import Settings
from everfit.engine.context import Context, open_context
from everfit.engine.progress import LogProgress
from everfit.operations.serving.loaded import LoadedVersion, load_version, signed_version
from everfit.operations.serving.metrics import Metrics
from everfit.storage.deployment import MARK, other_deployment, refuse_other_store
from everfit.storage.ledger import Ledger, open_ledger
from everfit.storage.ledger.records import PromotionRecord
from everfit.storage.scratch import scratch_folder
from everfit.storage.store import Store, open_store

log = logging.getLogger(__name__)

SECONDS = 2.0
"""Between two looks at the ledger."""

AGAIN_SECONDS = 60.0
"""Before a version that cannot be served is tried again."""


@dataclass(frozen=True)
class Place:
    """How the ledger or the store answered when it was last asked."""

    reachable: bool
    problem: str | None
    asked: str
    """ISO time."""


class Following:
    """The versions that answer, one for each pipeline, and the one before each, kept warm.

    The ledger decides, not MLflow's alias. A version is loaded and verified beside the one that
    answers, and takes its place at once; a request keeps the version that it began with. While
    the ledger does not answer, or its champion cannot be verified, the version before goes on.

    Parameters
    ----------
    names : sequence of str
        Pipelines.
    settings : Settings
    metrics : Metrics
    say : callable
        Told a line for each change and each new problem.
    worker : int
        Number of this process among those of the server.
    """

    def __init__(
        self,
        names: Sequence[str],
        settings: Settings,
        metrics: Metrics,
        say: Callable[[str], None] = log.info,
        worker: int = 0,
    ) -> None:
        self.names, self._worker = tuple(names), worker
        self._settings, self._metrics, self._say = settings, metrics, say
        self._serving: dict[str, LoadedVersion] = {}
        self._before: dict[str, LoadedVersion] = {}
        self._problems: dict[str, str] = {}
        self._given_up: dict[str, tuple[int, Digest, float]] = {}
        self._places: dict[str, Place] = {}
        self._deployment: str | None = None
        self._ended = threading.Event()
        # A store that is away takes long to say so: whoever asks it does not ask the ledger.
        self._threads = [
            threading.Thread(target=work, name=name, daemon=True)
            for work, name in ((self._follow, "following"), (self._watch_store, "store"))
        ]

    def begin(self) -> None:
        """Load every champion that there is, then go on looking in a thread of its own.

        Raises
        ------
        UserError
            If there is no such pipeline, or a champion cannot be served.
        Unavailable
            If the ledger or the store does not answer.
        """
        with open_context(self._settings) as context:
            self._deployment = context.ledger.deployment()
            for name in self.names:
                known_pipeline(context.ledger, name, self._settings.pipelines)
                entry = context.ledger.champion(name)
                if entry is None:
                    self._problem(name, f"{name} has no champion yet.")
                else:
                    self._switch(load_version(name, entry, context))
        for what in ("ledger", "store"):
            self._asked(what, None)
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Stop looking."""
        self._ended.set()
        for thread in self._threads:
            thread.join(timeout=5)

    def version(self, name: str) -> LoadedVersion | None:
        """The version that answers for a pipeline; None where there is none yet."""
        return self._serving.get(name)

    @property
    def is_ready(self) -> bool:
        """Whether every pipeline has a version that answers."""
        return all(name in self._serving for name in self.names)

    def status(self) -> dict[str, Any]:
        """What answers, and what is wrong, as ``/readyz`` says it."""
        return {
            "ready": self.is_ready,
            "worker": self._worker,
            "pid": os.getpid(),
            "pipelines": {name: self._status(name) for name in self.names},
            **{what: vars(place) for what, place in sorted(self._places.items())},
        }

    def look(self) -> None:
        """Ask the ledger once, and take what it says; nothing that goes wrong ends the server."""
        trouble: EverfitError | None = None
        try:
            with self._ledger() as ledger:
                self._refuse_other_ledger(ledger)
                for name in self.names:
                    self._take(name, ledger)
        except Exception as error:
            trouble = _plain(error)
        self._asked("ledger", trouble)

    def _follow(self) -> None:
        for name in self.names:
            with suppress(Exception):
                self._warm(name)
        while not self._ended.wait(SECONDS):
            self.look()

    def _watch_store(self) -> None:
        store: Store | None = None
        while not self._ended.wait(SECONDS):
            trouble: EverfitError | None = None
            try:
                store = store or open_store(self._settings.store)
                if self._deployment and not store.exists(MARK):
                    trouble = Unavailable(
                        "SERVE-STORE",
                        "EVERFIT_STORE",
                        "the store must be there",
                        f"it has no {MARK}",
                        "Bring it back; what answers goes on answering",
                    )
            except Exception as error:
                trouble = _plain(error)
            self._asked("store", trouble)

    def _warm(self, name: str) -> None:
        """Load the champion before this one, so that a rollback needs nothing but the ledger."""
        serving = self._serving.get(name)
        if serving is None:
            return
        with open_context(self._settings) as context:
            for entry in reversed(context.ledger.history(name)):
                if entry.sequence < serving.sequence and entry.run_key != serving.run_key:
                    self._before.setdefault(name, load_version(name, entry, context))
                    return

    def _take(self, name: str, ledger: Ledger) -> None:
        """Serve what the head of the journal names, if it can be; else say why not."""
        entry, serving = ledger.champion(name), self._serving.get(name)
        if entry is not None and serving is not None and _is_of(serving, entry):
            self._problem(name, None)
            return
        if entry is None and serving is None:
            return
        try:
            if entry is None or (serving is not None and entry.sequence < serving.sequence):
                raise IntegrityError(
                    "SERVE-JOURNAL",
                    name,
                    "the journal of a champion only grows",
                    "it ends before the entry of the version that answers",
                    "Restore the ledger; where it is an older backup on purpose, restart the "
                    "server",
                )
            if self._is_given_up(name, entry):
                return
            self._switch(self._load(name, entry, ledger))
            self._problem(name, None)
        except Exception as error:
            plain = _plain(error)
            if entry is not None and not isinstance(plain, Unavailable):
                until = time.monotonic() + AGAIN_SECONDS
                self._given_up[name] = (entry.sequence, entry.run_key, until)
            self._problem(name, plain.line)

    def _load(self, name: str, entry: PromotionRecord, ledger: Ledger) -> LoadedVersion:
        before = self._before.get(name)
        with scratch_folder() as scratch:
            store = open_store(self._settings.store)
            context = Context(self._settings, store, ledger, LogProgress(), scratch)
            if before is None or before.run_key != entry.run_key:
                refuse_other_store(ledger, store)
                return load_version(name, entry, context)
            record = signed_version(name, entry, context)
            if record.champion.model != before.artifact:
                return load_version(name, entry, context)
        return replace(before, sequence=entry.sequence, since=entry.at)

    def _switch(self, new: LoadedVersion) -> None:
        """One assignment: whoever asks gets the old version or the new one."""
        old = self._serving.get(new.pipeline)
        self._serving[new.pipeline] = new
        if old is not None and old.run_key != new.run_key:
            self._before[new.pipeline] = old
        self._metrics.switched(old, new)
        after = f", after v{old.version}" if old else ""
        self._say(
            f"{new.pipeline} v{new.version} answers{after}: model {new.artifact.digest[:12]}, "
            f"{len(new.sample):,} recorded predictions reproduced exactly"
        )
        if new.by_table:
            self._say(f"{new.pipeline} v{new.version} predicts all rows by a table: {new.by_table}")

    def _is_given_up(self, name: str, entry: PromotionRecord) -> bool:
        sequence, run_key, until = self._given_up.get(name, (0, "", 0.0))
        return (sequence, run_key) == (entry.sequence, entry.run_key) and time.monotonic() < until

    def _problem(self, name: str, line: str | None) -> None:
        self._metrics.behind(name, line is not None)
        if line is None:
            self._problems.pop(name, None)
        elif self._problems.get(name) != line:
            self._problems[name] = line
            self._say(line)

    def _asked(self, what: str, trouble: EverfitError | None) -> None:
        line = trouble.line if trouble else None
        before = self._places.get(what)
        self._places[what] = Place(trouble is None, line, iso(now()))
        self._metrics.reachable(what, trouble is None)
        if before is not None and before.problem != line:
            self._say(line or f"the {what} answers again")

    def _status(self, name: str) -> dict[str, Any]:
        serving, before = self._serving.get(name), self._before.get(name)
        found: dict[str, Any] = {"ready": serving is not None, "problem": self._problems.get(name)}
        if serving is not None:
            found |= {
                "version": serving.version,
                "since": serving.since,
                "run_key": serving.run_key,
                "model": serving.artifact.digest,
                "reproduced": len(serving.sample),
                "warm": before.version if before else None,
            }
        return found

    @contextmanager
    def _ledger(self) -> Iterator[Ledger]:
        """The ledger as it is now; one that is away is not made anew."""
        path = _file_of(self._settings.ledger)
        if path is not None and not path.is_file():
            raise Unavailable(
                "SERVE-LEDGER",
                f"ledger {path}",
                "the ledger must be there",
                "there is no such file",
                "Bring it back; what answers goes on answering",
            )
        with open_ledger(self._settings.ledger) as ledger:
            yield ledger

    def _refuse_other_ledger(self, ledger: Ledger) -> None:
        known = ledger.deployment()
        if self._deployment is None:
            self._deployment = known
        elif known != self._deployment:
            found = f"of deployment {known[:8]}" if known else "new, or was emptied"
            raise other_deployment(
                ledger.where,
                f"what answers is of deployment {self._deployment[:8]}, and the ledger is {found}",
            )


def _is_of(serving: LoadedVersion, entry: PromotionRecord) -> bool:
    return (serving.sequence, serving.run_key) == (entry.sequence, entry.run_key)


def _file_of(url: str) -> Path | None:
    """The file of a ledger in SQLite."""
    scheme, _, rest = url.partition("://")
    name = rest.removeprefix("/")
    return Path(name) if scheme.startswith("sqlite") and name not in ("", ":memory:") else None


def _plain(error: Exception) -> EverfitError:
    """Any error as one of ours."""
    if isinstance(error, EverfitError):
        return error
    if isinstance(error, OSError):
        return from_system(error)
    log.debug("details", exc_info=True)
    return Unavailable(
        "SERVE-DEFECT",
        "following the champion",
        "it must not fail",
        told(error),
        "This is a defect of Everfit: please report it; what answers goes on answering",
    )
