"""A migrated MLflow database, made once and copied.

MLflow's migrations take seconds of CPU, and several processes that meet one empty database destroy
it. So the migrations run once for each MLflow version, under a lock, into a template beside the
environment; a new database is a copy that appears whole, in one step.

``python -m everfit.storage.mlflow.template`` makes the template in advance.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

from everfit.contracts.errors import Unavailable

log = logging.getLogger(__name__)

_MIGRATE = """
import os, sys
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
SqlAlchemyStore("sqlite:///" + sys.argv[1], sys.argv[2]).engine.dispose()
"""


def template_path(folder: Path | None = None) -> Path:
    """Where the template of the installed MLflow is, or would be."""
    base = folder or Path(sys.prefix) / "share" / "everfit"
    return base / f"mlflow-{version('mlflow')}.db"


def make_template(fallback: Path | None = None) -> Path:
    """Find or make the template.

    Parameters
    ----------
    fallback : Path, optional
        A folder to keep it in where the environment is read-only.

    Raises
    ------
    Unavailable
        If it cannot be made.
    """
    homes = [template_path(), *([template_path(fallback)] if fallback else [])]
    for path in homes:
        if path.exists():
            return path
    problem: OSError | None = None
    for path in homes:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with locked(path.parent):
                if not path.exists():
                    _migrate(path)
            return path
        except OSError as error:
            problem = error
    raise Unavailable(
        "REGISTRY-TEMPLATE",
        str(homes[-1]),
        "a migrated MLflow database must be made once",
        problem.strerror if problem else None,
        "Make the folder writable and try again",
    ) from problem


def provide_database(path: Path, artifacts: Path) -> None:
    """Put a migrated database at ``path`` unless there is one.

    Parameters
    ----------
    path : Path
        The database. It appears complete or not at all, whatever is killed, and whoever races.
    artifacts : Path
        Where MLflow's own default experiment keeps artifacts.
    """
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    template = make_template(path.parent)
    with locked(path.parent):
        if path.exists():
            return
        for suffix in ("-wal", "-shm"):  # of a database that was removed: they would be replayed
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        copy = path.with_name(f".{path.name}.new")  # a killed process's leftover is overwritten
        for stale in (copy, *path.parent.glob(f"{copy.name}-*")):
            stale.unlink(missing_ok=True)
        shutil.copyfile(template, copy)
        _point_default_experiment(copy, artifacts)
        with copy.open("rb") as file:
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # MLflow itself may have been first
            os.link(copy, path)
        copy.unlink()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold an exclusive lock on a folder; the kernel drops it with the process."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _migrate(path: Path) -> None:
    """Run the migrations in a process of their own, beside the place, and move the result in."""
    log.info("making %s: once for this version of MLflow", path.name)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        fresh = Path(folder) / "fresh.db"
        done = subprocess.run(  # noqa: S603 (our own interpreter and our own text)
            [sys.executable, "-W", "ignore", "-c", _MIGRATE, str(fresh), "mlflow-artifacts:/"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            log.debug("%s", done.stderr)
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise Unavailable(
                "REGISTRY-TEMPLATE",
                str(path),
                "MLflow must be able to migrate a new database",
                last,
                "Check that the environment is complete",
            )
        with _connection(fresh) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        fresh.rename(path)


def _point_default_experiment(path: Path, artifacts: Path) -> None:
    with _connection(path) as database:
        database.execute(
            "UPDATE experiments SET artifact_location = ? WHERE experiment_id = 0",
            (f"{artifacts.as_uri()}/0",),
        )
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@contextmanager
def _connection(path: Path) -> Iterator[sqlite3.Connection]:
    database = sqlite3.connect(path, isolation_level=None)
    try:
        yield database
    finally:
        database.close()  # the last to close a database folds its write-ahead log in


def main() -> None:
    """Make the template and say where it is."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    log.info("%s", make_template())


if __name__ == "__main__":
    main()
