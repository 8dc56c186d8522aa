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
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pipeline_components.contracts.base import Digest
from pipeline_components.contracts.errors import EverfitError, IntegrityError
from pipeline_components.registry.base import (
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
from pipeline_components.registry.files import local_folder, publish_files
from pipeline_components.registry.sqlite_errors import explained
from pipeline_components.registry.sqlite_versions import (
    DELETED,
    delete_version,
    ensure_model,
    insert_version,
    put_version_tags,
)
from pipeline_components.store import digest_file

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
        experiment, location = self._ensure_experiment(log.pipeline)
        run, uri, finished = self._find_run(experiment, log, known)
        if run is None:
            run = log.run_key[:32]  # ours alone: a run killed before its commit finds its files
            uri = f"{location.rstrip('/')}/{run}/artifacts"
        folder = local_folder(uri)
        if folder is None:
            raise IntegrityError(
                "REGISTRY-ARTIFACTS", f"{self.where} run {run}", "its artifacts must be local", uri
            )
        content = files(run)
        if finished:  # what was logged stays as it was; only what is lost or false is mended
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
            self._write_run(log, int(experiment), run, uri)
        return RunPlace(experiment=experiment, run=run)

    def ensure_version(
        self, pipeline: str, run_key: Digest, run: str, tags: Mapping[str, str], description: str,
        *, known: int | None = None,
    ) -> int:  # fmt: skip
        """Search by tag and create in one transaction."""
        now = _now()
        with self._transaction() as sql:
            ensure_model(sql, pipeline, now)
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
        self, pipeline: str, version: int, run_key: Digest, run: str, tags: Mapping[str, str],
        description: str,
    ) -> bool:  # fmt: skip
        """Insert it at its number; the emptied row of one that was deleted is filled again."""
        now = _now()
        with self._transaction() as sql:
            ensure_model(sql, pipeline, now)
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
            found = self._database.execute(
                "SELECT r.run_uuid, r.status, t.key, t.value FROM runs r "
                "JOIN experiments e ON e.experiment_id = r.experiment_id "
                "JOIN tags t ON t.run_uuid = r.run_uuid "
                "WHERE e.name = ? AND e.workspace = 'default' AND r.lifecycle_stage = 'active' "
                "AND t.key LIKE 'everfit.%' ORDER BY r.start_time, r.run_uuid",
                (pipeline,),
            ).fetchall()
        tags: dict[tuple[str, str], dict[str, str]] = {}
        for run, status, key, value in found:
            tags.setdefault((str(run), str(status)), {})[str(key)] = str(value)
        return [
            LoggedRun(run, held[key_tag], status, held)
            for (run, status), held in tags.items()
            if key_tag in held
        ]

    def delete_run(self, run: str) -> None:
        """As MLflow deletes, whose ``gc`` takes the row away; and the folder of artifacts."""
        with self._transaction() as sql:
            row = sql.execute("SELECT artifact_uri FROM runs WHERE run_uuid = ?", (run,)).fetchone()
            folder = local_folder(row[0]) if row else None
            if folder is not None and folder.exists():
                shutil.rmtree(folder)
            sql.execute(
                "UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = ? "
                "WHERE run_uuid = ? AND lifecycle_stage = 'active'",
                (_now(), run),
            )

    def versions(self, pipeline: str) -> list[ShownVersion]:
        """Look versions up; the emptied rows of deleted ones are none."""
        with self._translated():
            found = self._database.execute(
                "SELECT v.version, t.value FROM model_versions v "
                "LEFT JOIN model_version_tags t ON t.name = v.name AND t.version = v.version "
                "AND t.workspace = v.workspace AND t.key = ? "
                "WHERE v.name = ? AND v.workspace = 'default' AND v.current_stage <> ? "
                "ORDER BY v.version",
                (RUN_KEY, pipeline, DELETED),
            ).fetchall()
        return [ShownVersion(int(version), run_key) for version, run_key in found]

    def _ensure_experiment(self, name: str) -> tuple[str, str]:
        now = _now()
        with self._transaction() as sql:
            look = "SELECT experiment_id, artifact_location, lifecycle_stage FROM experiments "
            look += "WHERE workspace = 'default' AND name = ?"
            row = sql.execute(look, (name,)).fetchone()
            if row is None:
                number = sql.execute("SELECT max(experiment_id) + 1 FROM experiments").fetchone()[0]
                number = number or 1
                sql.execute(
                    "INSERT INTO experiments (experiment_id, name, artifact_location, "
                    "lifecycle_stage, creation_time, last_update_time, workspace) "
                    "VALUES (?, ?, ?, 'active', ?, ?, 'default')",
                    (number, name, f"{self._artifacts.as_uri()}/{number}", now, now),
                )
                row = sql.execute(look, (name,)).fetchone()
        if row[2] != "active":
            raise experiment_deleted(self.where, name)
        return str(row[0]), str(row[1])

    def _find_run(
        self, experiment: str, log: RunLog, known: str | None
    ) -> tuple[str | None, str, bool]:
        with self._translated():
            rows = self._database.execute(
                "SELECT r.run_uuid, r.artifact_uri, r.status FROM runs r JOIN tags t "
                "ON t.run_uuid = r.run_uuid WHERE r.experiment_id = ? "
                "AND r.lifecycle_stage = 'active' AND t.key = ? AND t.value = ? "
                "ORDER BY r.run_uuid <> ?, r.status <> 'FINISHED', r.start_time, r.run_uuid",
                (int(experiment), log.key_tag, log.run_key, known or ""),
            ).fetchall()
        if not rows:
            return None, "", False
        return str(rows[0][0]), str(rows[0][1]), rows[0][2] == "FINISHED"

    def _write_run(self, log: RunLog, experiment: int, run: str, uri: str) -> None:
        """Write everything and FINISHED, or nothing; a run that was deleted by hand comes back."""
        with self._transaction() as sql:
            sql.execute(
                "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, "
                "user_id, status, start_time, end_time, source_version, lifecycle_stage, "
                "artifact_uri, experiment_id) VALUES "
                "(?, ?, 'UNKNOWN', '', '', ?, 'FINISHED', ?, ?, '', 'active', ?, ?) "
                "ON CONFLICT (run_uuid) DO UPDATE SET status = 'FINISHED', "
                "end_time = excluded.end_time, lifecycle_stage = 'active', deleted_time = NULL",
                (
                    run, log.name, log.tags.get("mlflow.user", "everfit"), log.began, _now(), uri,
                    experiment,
                ),
            )  # fmt: skip
            tags = {**log.tags, log.key_tag: log.run_key, "mlflow.runName": log.name}
            sql.executemany(
                "INSERT OR REPLACE INTO tags (key, value, run_uuid) VALUES (?, ?, ?)",
                [(key, value, run) for key, value in tags.items()],
            )
            sql.executemany(
                "INSERT OR REPLACE INTO params (key, value, run_uuid) VALUES (?, ?, ?)",
                [(key, value, run) for key, value in log.params.items()],
            )
            for table in ("metrics", "latest_metrics"):
                sql.executemany(
                    f"INSERT OR REPLACE INTO {table} "  # noqa: S608 (two constant names)
                    "(key, value, timestamp, step, is_nan, run_uuid) VALUES (?, ?, ?, 0, 0, ?)",
                    [(key, value, log.began, run) for key, value in log.metrics.items()],
                )
            for dataset in log.datasets:
                sql.execute(
                    "INSERT OR IGNORE INTO datasets (dataset_uuid, experiment_id, name, digest, "
                    "dataset_source_type, dataset_source, dataset_schema, dataset_profile) "
                    "VALUES (?, ?, ?, ?, 'everfit', ?, ?, ?)",
                    (
                        uuid.uuid4().hex, experiment, dataset.name, dataset.short, dataset.source,
                        dataset.schema, dataset.profile,
                    ),
                )  # fmt: skip
                known = sql.execute(
                    "SELECT dataset_uuid FROM datasets "
                    "WHERE experiment_id = ? AND name = ? AND digest = ?",
                    (experiment, dataset.name, dataset.short),
                ).fetchone()[0]
                link = (uuid.uuid4().hex, known, run)
                done = sql.execute(
                    "INSERT OR IGNORE INTO inputs (input_uuid, source_type, source_id, "
                    "destination_type, destination_id) VALUES (?, 'DATASET', ?, 'RUN', ?)",
                    link,
                )
                if done.rowcount:
                    sql.execute(
                        "INSERT INTO input_tags (input_uuid, name, value) "
                        "VALUES (?, 'mlflow.data.context', ?)",
                        (link[0], dataset.context),
                    )

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


def _now() -> int:
    return time.time_ns() // 1_000_000
