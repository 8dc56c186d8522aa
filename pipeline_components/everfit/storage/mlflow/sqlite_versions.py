"""Versions as rows of MLflow's own SQLite tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from everfit.storage.mlflow.base import RUN_KEY, ShownVersion

DELETED = "Deleted_Internal"
"""The stage of a version that MLflow has deleted: its row stays."""


def list_versions(sql: sqlite3.Connection, pipeline: str) -> list[ShownVersion]:
    """Every version that is not deleted, with our tags, lowest number first."""
    found: dict[int, dict[str, str]] = {}
    for version, key, value in sql.execute(
        "SELECT v.version, t.key, t.value FROM model_versions v "
        "LEFT JOIN model_version_tags t ON t.name = v.name AND t.version = v.version "
        "AND t.workspace = v.workspace AND t.key LIKE 'everfit.%' "
        "WHERE v.name = ? AND v.workspace = 'default' AND v.current_stage <> ? "
        "ORDER BY v.version",
        (pipeline, DELETED),
    ):
        tags = found.setdefault(int(version), {})
        if key is not None:
            tags[key] = value
    return [ShownVersion(number, tags.get(RUN_KEY), tags) for number, tags in found.items()]


def ensure_model(sql: sqlite3.Connection, pipeline: str, about: str, now: int) -> None:
    """Make sure that there is a registered model of the name; a description stays as it is.

    Parameters
    ----------
    about : str
        Its description, where it has none.
    now : int
        Milliseconds since 1970.
    """
    sql.execute(
        "INSERT OR IGNORE INTO registered_models "
        "(name, creation_time, last_updated_time, workspace) VALUES (?, ?, ?, 'default')",
        (pipeline, now, now),
    )
    if about:
        sql.execute(
            "UPDATE registered_models SET description = ? "
            "WHERE workspace = 'default' AND name = ? AND coalesce(description, '') = ''",
            (about, pipeline),
        )


def put_version_tags(
    sql: sqlite3.Connection, pipeline: str, version: int, tags: Mapping[str, str]
) -> None:
    """Set tags of a version."""
    sql.executemany(
        "INSERT OR REPLACE INTO model_version_tags (key, value, name, version, workspace) "
        "VALUES (?, ?, ?, ?, 'default')",
        [(key, value, pipeline, version) for key, value in tags.items()],
    )


def insert_version(
    sql: sqlite3.Connection,
    pipeline: str,
    run: str,
    description: str,
    now: int,
    version: int | None = None,
) -> int:
    """Insert a version at the next number, or at one that is known to be free."""
    (uri,) = sql.execute("SELECT artifact_uri FROM runs WHERE run_uuid = ?", (run,)).fetchone()
    if version is None:
        (version,) = sql.execute(
            "SELECT coalesce(max(version), 0) + 1 FROM model_versions "
            "WHERE workspace = 'default' AND name = ?",
            (pipeline,),
        ).fetchone()
    source = f"{uri}/model"
    sql.execute(
        "INSERT OR REPLACE INTO model_versions "
        "(name, version, creation_time, last_updated_time, description, current_stage, source, "
        "run_id, status, storage_location, workspace) "
        "VALUES (?, ?, ?, ?, ?, 'None', ?, ?, 'READY', ?, 'default')",
        (pipeline, version, now, now, description, source, run, source),
    )
    sql.execute(
        "UPDATE registered_models SET last_updated_time = ? "
        "WHERE workspace = 'default' AND name = ?",
        (now, pipeline),
    )
    return int(version or 0)


def delete_version(sql: sqlite3.Connection, pipeline: str, version: int, now: int) -> None:
    """As MLflow deletes: the row stays, emptied, so that its number is not used again."""
    sql.execute(
        "DELETE FROM registered_model_aliases "
        "WHERE workspace = 'default' AND name = ? AND version = ?",
        (pipeline, version),
    )
    sql.execute(
        "UPDATE model_versions SET current_stage = ?, last_updated_time = ?, "
        "description = NULL, user_id = NULL, source = 'REDACTED-SOURCE-PATH', "
        "run_id = 'REDACTED-RUN-ID', run_link = 'REDACTED-RUN-LINK', status_message = NULL "
        "WHERE workspace = 'default' AND name = ? AND version = ?",
        (DELETED, now, pipeline, version),
    )
