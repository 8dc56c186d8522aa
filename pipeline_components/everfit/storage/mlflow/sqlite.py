"""MLflow's own SQLite database, written without importing MLflow.

``import mlflow`` and its store cost more CPU than everything else a registration does. For the one
case that every laptop runs, the tables of a known schema revision are written directly: a run with
all that belongs to it in a single transaction, so that no kill leaves it half logged. A database
of any other revision goes through MLflow's client (see ``open_registry``). A test holds both ways
to the same outcome, read back through MLflow.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from everfit.contracts.base import Digest
from everfit.contracts.errors import EverfitError, IntegrityError, Unavailable, UserError
from everfit.storage.mlflow.base import (
    ALIAS,
    MODEL_FILE,
    RUN_KEY,
    Files,
    LoggedRun,
    Registry,
    RunLog,
    RunPlace,
    ShownVersion,
    experiment_deleted,
    model_altered,
    shown,
    version_gone,
)
from everfit.storage.mlflow.files import local_folder, publish_files
from everfit.storage.mlflow.sqlite_runs import (
    delete_run_row,
    ensure_experiment,
    find_run,
    list_runs,
    write_run,
)
from everfit.storage.mlflow.sqlite_versions import (
    DELETED,
    delete_version,
    ensure_model,
    insert_version,
    list_versions,
    put_version_tags,
)
from everfit.storage.sqlite_errors import failure_of
from everfit.storage.store import digest_file

REVISIONS = frozenset({"dc11669786a5"})
"""Schema revisions whose tables are known here: MLflow 3.17."""


class SqliteRegistry(Registry):
    """A registry in one SQLite file, with artifacts in local folders.

    Parameters
    ----------
    path : Path
        A migrated database.
    artifacts : Path
        Where a new experiment keeps its artifacts.
    """

    def __init__(self, path: Path, artifacts: Path) -> None:
        self.where = shown(f"sqlite:///{path}")
        self._artifacts = artifacts
        with self._translated():
            self._database = sqlite3.connect(path, timeout=20, isolation_level=None)
            self._database.execute("PRAGMA foreign_keys = ON")

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def understood(self) -> bool:
        """Whether the schema is one whose tables are known here."""
        look = "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
        with self._translated():
            if self._database.execute(look).fetchone() is None:
                return False
            found = {
                row[0] for row in self._database.execute("SELECT version_num FROM alembic_version")
            }
        return len(found) == 1 and found <= REVISIONS

    def keeps_locally(self, pipeline: str) -> bool:
        """Whether the pipeline's artifacts are, or would be, on this machine."""
        with self._translated():
            row = self._database.execute(
                "SELECT artifact_location FROM experiments "
                "WHERE name = ? AND workspace = 'default'",
                (pipeline,),
            ).fetchone()
        return row is None or local_folder(row[0]) is not None

    def ensure_run(
        self, log: RunLog, files: Callable[[str], Files], known: str | None = None
    ) -> RunPlace:
        """Publish the files, then the whole run in one transaction."""
        with self._transaction() as sql:
            experiment, location, stage = ensure_experiment(
                sql, log.experiment or log.pipeline, self._artifacts.as_uri(), _now()
            )
        if stage != "active":
            raise experiment_deleted(self.where, log.experiment or log.pipeline)
        with self._translated():
            run, uri, finished = find_run(self._database, experiment, log, known)
        if run is None:
            run = log.run_key[:32]  # ours alone: a run killed before its commit finds its files
            uri = f"{location.rstrip('/')}/{run}/artifacts"
        folder = local_folder(uri)
        if folder is None:
            raise IntegrityError(
                "REGISTRY-ARTIFACTS", f"{self.where} run {run}", "its artifacts must be local", uri
            )
        content = files(run)
        if finished:  # what was logged stays as it was; only what is lost or false is fixed
            content = {
                name: data
                for name, data in content.items()
                if name == MODEL_FILE or not (folder / name).exists()
            }
        with self._translated():
            publish_files(folder, content)
        if log.model is not None:
            model = folder / MODEL_FILE
            found = digest_file(model) if model.exists() else None
            if found != log.model:
                raise model_altered(self.where, run, log.model, found)
        if not finished:
            with self._transaction() as sql:
                write_run(sql, log, experiment, run, uri, _now())
        return RunPlace(experiment=str(experiment), run=run)

    def ensure_version(
        self,
        pipeline: str,
        run_key: Digest,
        run: str,
        tags: Mapping[str, str],
        description: str,
        *,
        known: int | None = None,
        about: str = "",
    ) -> int:
        """Search by tag and create in one transaction."""
        now = _now()
        with self._transaction() as sql:
            ensure_model(sql, pipeline, about, now)
            found = [
                row[0]
                for row in sql.execute(
                    "SELECT v.version FROM model_versions v JOIN model_version_tags t ON "
                    "t.name = v.name AND t.version = v.version AND t.workspace = v.workspace "
                    "WHERE v.name = ? AND v.workspace = 'default' AND v.current_stage <> ? "
                    "AND t.key = ? AND t.value = ? ORDER BY v.version",
                    (pipeline, DELETED, RUN_KEY, run_key),
                )
            ]
            if known is not None and known not in found:
                raise version_gone(self.where, pipeline, known)
            if found:
                version = int(known if known is not None else found[0])
                for twin in found:
                    if twin != version:
                        delete_version(sql, pipeline, twin, now)
            else:
                version = insert_version(sql, pipeline, run, description, now)
            put_version_tags(sql, pipeline, version, {**tags, RUN_KEY: run_key})
        return version

    def restore_version(
        self,
        pipeline: str,
        version: int,
        run_key: Digest,
        run: str,
        tags: Mapping[str, str],
        description: str,
        *,
        about: str = "",
    ) -> bool:
        """Insert it at its number; the emptied row of one that was deleted is filled again."""
        now = _now()
        with self._transaction() as sql:
            ensure_model(sql, pipeline, about, now)
            row = sql.execute(
                "SELECT v.current_stage, t.value FROM model_versions v "
                "LEFT JOIN model_version_tags t ON t.name = v.name AND t.version = v.version "
                "AND t.workspace = v.workspace AND t.key = ? "
                "WHERE v.name = ? AND v.version = ? AND v.workspace = 'default'",
                (RUN_KEY, pipeline, version),
            ).fetchone()
            if row and row[0] != DELETED and row[1] != run_key:
                return False
            if row is None or row[0] == DELETED:
                sql.execute(
                    "DELETE FROM model_version_tags "
                    "WHERE name = ? AND version = ? AND workspace = 'default'",
                    (pipeline, version),
                )
                insert_version(sql, pipeline, run, description, now, version)
            put_version_tags(sql, pipeline, version, {**tags, RUN_KEY: run_key})
        return True

    def tag_version(self, pipeline: str, version: int, tags: Mapping[str, str]) -> None:
        """Write the tags."""
        with self._transaction() as sql:
            put_version_tags(sql, pipeline, version, tags)

    def alias(self, pipeline: str) -> int | None:
        """Look the alias up."""
        with self._translated():
            row = self._database.execute(
                "SELECT version FROM registered_model_aliases "
                "WHERE workspace = 'default' AND name = ? AND alias = ?",
                (pipeline, ALIAS),
            ).fetchone()
        return int(row[0]) if row else None

    def set_alias(self, pipeline: str, version: int | None) -> None:
        """Write the alias, if its version exists."""
        with self._transaction() as sql:
            if version is None:
                sql.execute(
                    "DELETE FROM registered_model_aliases "
                    "WHERE workspace = 'default' AND name = ? AND alias = ?",
                    (pipeline, ALIAS),
                )
                return
            exists = sql.execute(
                "SELECT 1 FROM model_versions WHERE workspace = 'default' AND name = ? "
                "AND version = ? AND current_stage <> ?",
                (pipeline, version, DELETED),
            ).fetchone()
            if not exists:
                raise version_gone(self.where, pipeline, version)
            sql.execute(
                "INSERT INTO registered_model_aliases (workspace, name, alias, version) "
                "VALUES ('default', ?, ?, ?) "
                "ON CONFLICT (workspace, name, alias) DO UPDATE SET version = excluded.version",
                (pipeline, ALIAS, version),
            )

    def runs(self, pipeline: str, key_tag: str = RUN_KEY) -> list[LoggedRun]:
        """Look runs and their tags up."""
        with self._translated():
            return list_runs(self._database, pipeline, key_tag)

    def delete_run(self, run: str) -> None:
        """As MLflow deletes, whose ``gc`` takes the row away; and the folder of artifacts."""
        with self._transaction() as sql:
            uri = delete_run_row(sql, run, _now())
            folder = local_folder(uri) if uri else None
            if folder is not None and folder.exists():
                shutil.rmtree(folder)

    def versions(self, pipeline: str) -> list[ShownVersion]:
        """Look versions up; the emptied rows of deleted ones are none."""
        with self._translated():
            return list_versions(self._database, pipeline)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._translated():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Say in one line what the database or the disk refused."""
        try:
            yield
        except EverfitError:
            raise
        except (sqlite3.Error, OSError) as error:
            raise explained(error, self.where) from error


def explained(error: Exception, where: str) -> EverfitError:
    """What the database or the disk refused, in one line."""
    text = str(error)
    match failure_of(error):
        case "damaged":
            return UserError(
                "REGISTRY-DAMAGED",
                where,
                "MLflow's database must be sound",
                text,
                "Restore it from its backup, or name another with EVERFIT_MLFLOW",
            )
        case "access":
            return UserError(
                "REGISTRY-RIGHTS",
                where,
                "MLflow's database and artifact folder must be writable",
                text,
                "Correct the rights, or EVERFIT_MLFLOW",
            )
    return Unavailable(
        "REGISTRY-UNAVAILABLE",
        where,
        "MLflow's database and artifact folder must be free to write",
        text,
        "Look for a full disk or another writer, and try again",
    )


def _now() -> int:
    return time.time_ns() // 1_000_000
