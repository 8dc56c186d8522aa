"""Experiments and runs as rows of MLflow's own SQLite tables."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Mapping, Sequence

from everfit.contracts.base import digest_bytes
from everfit.storage.mlflow.base import KIND, PARENT, PART, SHARED, Dataset, LoggedRun, Part, RunLog


def ensure_experiment(
    sql: sqlite3.Connection, name: str, artifacts: str, now: int
) -> tuple[int, str, str]:
    """The number, artifact folder and stage of the experiment; made where it is not there.

    Parameters
    ----------
    artifacts : str
        Address of the folder in which a new experiment gets its own.
    now : int
        Milliseconds since 1970.
    """
    look = (
        "SELECT experiment_id, artifact_location, lifecycle_stage FROM experiments "
        "WHERE workspace = 'default' AND name = ?"
    )
    row = sql.execute(look, (name,)).fetchone()
    if row is None:
        number = sql.execute("SELECT max(experiment_id) + 1 FROM experiments").fetchone()[0] or 1
        sql.execute(
            "INSERT INTO experiments (experiment_id, name, artifact_location, "
            "lifecycle_stage, creation_time, last_update_time, workspace) "
            "VALUES (?, ?, ?, 'active', ?, ?, 'default')",
            (number, name, f"{artifacts}/{number}", now, now),
        )
        row = sql.execute(look, (name,)).fetchone()
    sql.execute(
        "INSERT OR IGNORE INTO experiment_tags (key, value, experiment_id) VALUES (?, ?, ?)",
        (*KIND, row[0]),
    )
    return int(row[0]), str(row[1]), str(row[2])


def find_run(
    sql: sqlite3.Connection, experiment: int, log: RunLog, known: str | None
) -> tuple[str | None, str, bool]:
    """Id, artifact folder and whether it is finished, of the run with the log's key."""
    row = sql.execute(
        "SELECT r.run_uuid, r.artifact_uri, r.status FROM runs r JOIN tags t "
        "ON t.run_uuid = r.run_uuid WHERE r.experiment_id = ? "
        "AND r.lifecycle_stage = 'active' AND t.key = ? AND t.value = ? "
        "ORDER BY r.run_uuid <> ?, r.status <> 'FINISHED', r.start_time, r.run_uuid",
        (experiment, log.key_tag, log.run_key, known or ""),
    ).fetchone()
    return (str(row[0]), str(row[1]), row[2] == "FINISHED") if row else (None, "", False)


def list_runs(sql: sqlite3.Connection, pipeline: str, key_tag: str) -> list[LoggedRun]:
    """The active runs of a pipeline that bear a key, oldest first."""
    found = sql.execute(
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


def delete_run_row(sql: sqlite3.Connection, run: str, now: int) -> str | None:
    """As MLflow deletes, whose ``gc`` takes the row away; returns the artifacts' address."""
    row = sql.execute("SELECT artifact_uri FROM runs WHERE run_uuid = ?", (run,)).fetchone()
    sql.execute(
        "UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = ? "
        "WHERE lifecycle_stage = 'active' AND (run_uuid = ? OR run_uuid IN "
        "(SELECT run_uuid FROM tags WHERE key = ? AND value = ?))",
        (now, run, PARENT, run),
    )
    return str(row[0]) if row else None


def write_run(
    sql: sqlite3.Connection, log: RunLog, experiment: int, run: str, uri: str, now: int
) -> None:
    """Write everything and FINISHED; a run that was deleted by hand comes back."""
    _write_row(sql, log, log.name, experiment, run, uri, now)
    tags = {**log.tags, log.key_tag: log.run_key, "mlflow.runName": log.name}
    points = [(name, value, 0) for name, value in log.metrics.items()]
    _write_values(sql, run, tags, log.params, points, log.began)
    for dataset in log.datasets:
        _write_input(sql, dataset, experiment, run)
    for part in log.parts:
        _write_part(sql, log, part, experiment, run, uri, now)


def _write_part(
    sql: sqlite3.Connection, log: RunLog, part: Part, experiment: int, run: str, uri: str, now: int
) -> None:
    key = part.key(log.run_key)
    known = sql.execute(
        "SELECT r.run_uuid, r.artifact_uri FROM runs r JOIN tags t ON t.run_uuid = r.run_uuid "
        "WHERE r.experiment_id = ? AND r.lifecycle_stage = 'active' AND t.key = ? "
        "AND t.value = ? ORDER BY r.start_time, r.run_uuid",
        (experiment, PART, key),
    ).fetchone()
    own = digest_bytes(key.encode())[:32]
    nested, place = known or (
        own,
        f"{uri.removesuffix('/artifacts').removesuffix(run)}{own}/artifacts",
    )
    _write_row(sql, log, part.name, experiment, nested, place, now)
    tags = {name: value for name, value in log.tags.items() if name in SHARED}
    tags |= {PART: key, PARENT: run, "mlflow.runName": part.name}
    _write_values(sql, nested, tags, part.params, list(part.points()), log.began)


def _write_row(
    sql: sqlite3.Connection, log: RunLog, name: str, experiment: int, run: str, uri: str, now: int
) -> None:
    user = log.tags.get("mlflow.user", "everfit")
    sql.execute(
        "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, "
        "user_id, status, start_time, end_time, source_version, lifecycle_stage, "
        "artifact_uri, experiment_id) VALUES "
        "(?, ?, 'UNKNOWN', '', '', ?, 'FINISHED', ?, ?, '', 'active', ?, ?) "
        "ON CONFLICT (run_uuid) DO UPDATE SET status = 'FINISHED', "
        "end_time = excluded.end_time, lifecycle_stage = 'active', deleted_time = NULL",
        (run, name, user, log.began, now, uri, experiment),
    )


def _write_values(
    sql: sqlite3.Connection,
    run: str,
    tags: Mapping[str, str],
    params: Mapping[str, str],
    points: Sequence[tuple[str, float, int]],
    began: int,
) -> None:
    sql.executemany(
        "INSERT OR REPLACE INTO tags (key, value, run_uuid) VALUES (?, ?, ?)",
        [(key, value, run) for key, value in tags.items()],
    )
    sql.executemany(
        "INSERT OR REPLACE INTO params (key, value, run_uuid) VALUES (?, ?, ?)",
        [(key, value, run) for key, value in params.items()],
    )
    for table in ("metrics", "latest_metrics"):
        sql.executemany(
            f"INSERT OR REPLACE INTO {table} "  # noqa: S608 (two constant names)
            "(key, value, timestamp, step, is_nan, run_uuid) VALUES (?, ?, ?, ?, 0, ?)",
            [(key, value, began, step, run) for key, value, step in points],
        )


def _write_input(sql: sqlite3.Connection, dataset: Dataset, experiment: int, run: str) -> None:
    sql.execute(
        "INSERT OR IGNORE INTO datasets (dataset_uuid, experiment_id, name, digest, "
        "dataset_source_type, dataset_source, dataset_schema, dataset_profile) "
        "VALUES (?, ?, ?, ?, 'everfit', ?, ?, ?)",
        (
            uuid.uuid4().hex,
            experiment,
            dataset.name,
            dataset.short,
            dataset.source,
            dataset.schema,
            dataset.profile,
        ),
    )
    known = sql.execute(
        "SELECT dataset_uuid FROM datasets WHERE experiment_id = ? AND name = ? AND digest = ?",
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
            "INSERT INTO input_tags (input_uuid, name, value) VALUES (?, 'mlflow.data.context', ?)",
            (link[0], dataset.context),
        )
