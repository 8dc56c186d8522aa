"""Ledger, store and MLflow: whether they answer, take what is written, and belong together."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote, urlsplit

from everfit.contracts.errors import EverfitError, from_system
from everfit.contracts.settings import Settings
from everfit.contracts.wording import count, duration, size
from everfit.operations.doctor.finding import Finding, fails, not_seen, ok, warning

if TYPE_CHECKING:
    from everfit.storage.ledger import Ledger
    from everfit.storage.store import Store

Known = Literal["new", "found"] | None
"""What a check made sure of; None where it failed."""

PROBE = "doctor-"
"""How the key begins that is created in the store, and removed."""

LITTLE = 1 << 30
"""Bytes: below, a training of an ordinary table may end for want of room."""

NONE_LEFT = 64 << 20
"""Bytes: below, nothing works."""

APART = 10.0
"""Seconds by which clocks may differ before the order of records is in doubt."""

ANSWER_SECONDS = 10
"""For MLflow's server to say what it is."""


class Places:
    """The checks of where things are kept; what is not there yet is not made.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ahead: dict[str, float] = {}  # place → seconds its clock is ahead of this machine's
        self._ledger: Known = None
        self._store: Known = None
        self._mlflow: Known = None

    def ledger(self) -> Finding:
        """Whether it answers, is sound, and has a schema that this version knows."""
        from everfit.storage.ledger.databases import open_connection
        from everfit.storage.ledger.schema import REVISIONS, refuse_unknown

        url = self._settings.ledger
        file = _sqlite_file(url)
        if file is not None and not file.exists():
            _refuse_unmade(file)
            self._ledger = "new"
            return ok("ledger", f"not made yet; the first run makes {file}")
        if file is not None:
            _refuse_unwritable(file)
        with closing(open_connection(url)) as connection:
            version = connection.schema_version()
            if file is not None:
                _refuse_unsound(connection.rows("PRAGMA quick_check(1)", {}), connection.where)
            else:
                sql = "SELECT EXTRACT(EPOCH FROM clock_timestamp())"
                self._ahead["ledger"] = float(connection.rows(sql, {})[0][0]) - time.time()
            refuse_unknown(connection.where, version)
            if version is None:
                self._ledger = "new"
                return ok("ledger", f"{connection.where}: empty; the first run makes its tables")
            if version != REVISIONS[-1]:
                return warning(
                    "ledger",
                    f"{connection.where}: schema {version}; the newest is {REVISIONS[-1]}",
                    "Back it up (everfit backup); the next command brings it up to date",
                )
            self._ledger = "found"
            return ok("ledger", f"{connection.where}: schema {version}")

    def store(self) -> Finding:
        """Whether it can be read and written, and creates only what is not there."""
        from everfit.storage.store import open_store

        folder = _store_folder(self._settings.store)
        if folder is not None and not folder.exists():
            _refuse_unmade(folder)
            self._store = "new"
            return ok("store", f"not made yet; the first run makes {folder}")
        store = open_store(self._settings.store)
        key, first = f"{PROBE}{secrets.token_hex(8)}", secrets.token_bytes(16)
        made = store.create(key, first)
        try:
            for entry in store.entries(key):
                self._ahead["store"] = entry.used - time.time()
            again = store.create(key, first[::-1])
            kept = store.read(key)
        finally:
            removed = _removed(store, key)
        if not made or again or kept != first:
            return fails(
                "store",
                f"{store.url}: what is created twice must stay as it was first; it did not",
                "Use a store that honours If-None-Match on writes, or a local file system",
            )
        self._store = "found"
        found = f"{store.url}: readable, writable, creates only what is not there"
        if not removed:
            return warning(
                "store",
                f"{found}; it may not be removed from, so {key} stays",
                "Allow s3:DeleteObject where everfit prune is to work",
            )
        return ok("store", found)

    def mlflow(self) -> Finding:
        """Whether it answers and lets this user in, and what it is."""
        from everfit.storage.mlflow import check_address, database_path

        check_address(self._settings)
        path = database_path(self._settings)
        if path is None:
            return self._served_mlflow()
        if not path.exists():
            _refuse_unmade(path)
            self._mlflow = "new"
            return ok("MLflow", f"not made yet; the first registration makes SQLite {path}")
        _refuse_unwritable(path)
        from everfit.storage.mlflow import artifact_folder
        from everfit.storage.mlflow.sqlite import SqliteRegistry

        with closing(SqliteRegistry(path, artifact_folder(self._settings))) as registry:
            known = registry.understood()
        if known:
            self._mlflow = "found"
            return ok("MLflow", f"local, SQLite {path}, of a schema that is known")
        return warning(
            "MLflow",
            f"local, SQLite {path}, of a schema that is not known",
            "MLflow's own client is used, which is slower; where the file is empty, remove it",
        )

    def deployment(self) -> Finding:
        """Whether ledger, store and MLflow are of one deployment."""
        if self._ledger is None or self._store is None:
            return not_seen("deployment", "ledger and store must work first")
        from everfit.storage.deployment import refuse_other_store
        from everfit.storage.store import open_store

        with closing(self._open_ledger()) as ledger:
            # What is new is compared too: a place that was lost looks like one.
            store = open_store(self._settings.store if self._store == "found" else "memory://new")
            refuse_other_store(ledger, store)
            named = ledger.deployment()
            if named is None:
                return ok("deployment", "new: nothing is recorded yet")
            pipelines = ledger.pipelines()
            if self._mlflow is None:
                return not_seen("deployment", "ledger and store agree; MLflow must work first")
            self._compare_registry(pipelines, ledger, store)
        found = f"{named[:8]} in ledger, store and MLflow, {count(len(pipelines), 'pipeline')}"
        return ok("deployment", found)

    def disk(self) -> Finding:
        """Free space where things are written."""
        places = {"home": self._settings.home, "temporary files": Path(tempfile.gettempdir())}
        if (folder := _store_folder(self._settings.store)) is not None:
            places["store"] = folder
        found: dict[int, tuple[int, list[str]]] = {}
        for name, place in places.items():
            there = _nearest(place)
            free = shutil.disk_usage(there).free
            found.setdefault(there.stat().st_dev, (free, []))[1].append(name)
        said = "; ".join(f"{size(free)} free for {' and '.join(n)}" for free, n in found.values())
        least = min(free for free, _ in found.values())
        if least < NONE_LEFT:
            raise from_system(OSError(errno.ENOSPC, said, str(self._settings.home)))
        if least < LITTLE:
            todo = "Free some space (everfit prune), or set TMPDIR or EVERFIT_HOME to another disk"
            return warning("disk", said, todo)
        return ok("disk", said)

    def clock(self) -> Finding:
        """How far the clocks of ledger and store are from this machine's."""
        if not self._ahead:
            if "new" in (self._ledger, self._store):
                return ok("clock", "nothing with a clock of its own is in use yet")
            return not_seen("clock", "no ledger or store with a clock of its own answered")
        far = {name: ahead for name, ahead in self._ahead.items() if abs(ahead) > APART}
        if not far:
            return ok("clock", f"{' and '.join(self._ahead)} agree within {APART:.0f} s")
        said = "; ".join(
            f"the {name} is {duration(abs(ahead))} {'ahead' if ahead > 0 else 'behind'}"
            for name, ahead in far.items()
        )
        return warning("clock", said, "Let the machines take their time from one source (NTP)")

    def _open_ledger(self) -> Ledger:
        """The ledger; where it is new, an empty one in memory by its name."""
        from everfit.storage.ledger import Ledger
        from everfit.storage.ledger.databases import open_connection

        file = _sqlite_file(self._settings.ledger)
        if self._ledger == "found":
            return Ledger(open_connection(self._settings.ledger))
        connection = open_connection("sqlite://")
        connection.where = f"ledger {file or 'of the database'}"
        connection.migrate()
        return Ledger(connection)

    def _compare_registry(self, pipelines: Sequence[str], ledger: Ledger, store: Store) -> None:
        """Make sure that MLflow is the ledger's, for every pipeline that has a record.

        Raises
        ------
        IntegrityError
            If it is another one's.
        """
        from everfit.champion.agreement import refuse_other_registry
        from everfit.engine.context import Context
        from everfit.engine.progress import LogProgress
        from everfit.storage.deployment import other_deployment
        from everfit.storage.mlflow import database_path, open_registry

        if self._mlflow == "new":
            if any(one.signature for name in pipelines for one in ledger.versions(name)):
                where = f"MLflow {database_path(self._settings)}"
                raise other_deployment(where, "it is not there, its versions are lost")
            return
        scratch = Path(tempfile.gettempdir())
        context = Context(self._settings, store, ledger, LogProgress(), scratch)
        for pipeline in pipelines:
            with open_registry(self._settings, pipeline) as registry:
                refuse_other_registry(pipeline, context, registry)

    def _served_mlflow(self) -> Finding:
        from importlib.metadata import version

        from everfit.storage.mlflow.base import shown

        uri = self._settings.mlflow
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(ANSWER_SECONDS))
        from everfit.storage.mlflow import artifact_folder
        from everfit.storage.mlflow.client import ClientRegistry

        with ClientRegistry(uri, artifact_folder(self._settings)) as registry:
            registry.versions("everfit_doctor")  # of no pipeline: whether this user is let in
        self._mlflow = "found"
        client = version("mlflow")
        served = _version_of(uri)
        found = f"{shown(uri)}: answers" + (f", MLflow {served}" if served else "")
        if served and served.split(".")[:2] != client.split(".")[:2]:
            todo = "Run the same MLflow on both sides, as far as you can"
            return warning("MLflow", f"{found}; the client here is {client}", todo)
        return ok("MLflow", found)


def _version_of(uri: str) -> str | None:
    """What MLflow's server says it is; it tells everybody."""
    from urllib.request import urlopen

    if urlsplit(uri).scheme not in ("http", "https"):
        return None
    with suppress(OSError, ValueError):
        with urlopen(f"{uri.rstrip('/')}/version", timeout=ANSWER_SECONDS) as reply:  # noqa: S310
            text = reply.read(64).decode("ascii", "replace").strip()
        return text if text[:1].isdigit() else None
    return None


def _removed(store: Store, key: str) -> bool:
    try:
        return store.remove(key)
    except EverfitError:
        return False


def _sqlite_file(url: str) -> Path | None:
    """The file of a SQLite URL; None for another database or one in memory."""
    scheme, _, rest = url.partition("://")
    name = rest.removeprefix("/")
    file = scheme in ("sqlite", "sqlite+pysqlite") and rest.startswith("/") and "?" not in name
    return Path(name) if file and name not in ("", ":memory:") else None


def _store_folder(url: str) -> Path | None:
    return Path(unquote(url.removeprefix("file://"))) if url.startswith("file:///") else None


def _nearest(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    return next(one for one in (path, *path.absolute().parents) if one.exists())


def _refuse_unmade(path: Path) -> None:
    """Make sure that something can be made at a path.

    Raises
    ------
    UserError
        If not.
    """
    there = _nearest(path)
    if not there.is_dir():
        raise from_system(NotADirectoryError(errno.ENOTDIR, "a file is in its way", str(there)))
    _refuse_unwritable(there)


def _refuse_unwritable(path: Path) -> None:
    if not os.access(path, os.W_OK):
        raise from_system(PermissionError(errno.EACCES, "it cannot be written to", str(path)))


def _refuse_unsound(answer: Sequence[Sequence[Any]], where: str) -> None:
    """Make sure that SQLite finds nothing wrong in its file.

    Raises
    ------
    UserError
        If it does.
    """
    from sqlite3 import DatabaseError

    from everfit.storage.ledger.sqlite_connection import explained

    said = str(answer[0][0]) if answer else "nothing"
    if said != "ok":
        raise explained(DatabaseError(f"malformed: {said}"), where)
