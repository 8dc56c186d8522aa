"""What the ledger, MLflow and the store hold, read past the code that is under proof."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from everfit.contracts.board import board_key
from everfit.contracts.settings import Settings

KEY = "everfit.run_key"

Rows = dict[str, list[dict[str, Any]]]

SERVED: list[Path] = []
"""Where the MLflow server of this session keeps artifacts: read there, past the server."""


@dataclass(frozen=True)
class Shown:
    """MLflow, of one pipeline."""

    alias: int | None
    versions: dict[int, tuple[str, str]]
    """Version → run key, MLflow run."""
    models: dict[int, str | None]
    """Version → digest of the model file; None where it is not there."""
    runs: dict[str, tuple[str, str]]
    """Active run → run key, status."""
    more: dict[str, Any] = field(default_factory=dict)
    """All else that is kept, comparable between worlds."""


def ledger_rows(url: str) -> Rows:
    """Every record of every table, without the row's number and time."""
    if url.startswith("sqlite"):
        path = url.removeprefix("sqlite:///")
        if not Path(path).exists():
            return {}
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'everfit_%'"
        try:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            return _tables(database.cursor(), names)
        finally:
            database.close()
    import psycopg

    names = "SELECT table_name FROM information_schema.tables WHERE table_name LIKE 'everfit_%'"
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        return _tables(connection.cursor(), names)


def _tables(cursor: Any, names: str) -> Rows:
    cursor.execute(names)
    found: Rows = {}
    for (table,) in sorted(cursor.fetchall()):
        cursor.execute(f"SELECT * FROM {table}")
        columns = [column[0] for column in cursor.description]
        rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
        if "id" in columns:
            rows.sort(key=lambda row: row["id"])
        for row in rows:
            row.pop("id", None)
            row.pop("at", None)
        found[table.removeprefix("everfit_")] = rows
    return found


def stored(settings: Settings, unlike: str = "") -> dict[str, str]:
    """Key → digest of its bytes, every blob's name checked against its bytes.

    Parameters
    ----------
    unlike : str
        A random name that differs between worlds, taken out of the bytes; such a blob is then
        listed by its digest without it.
    """
    root = Path(unquote(urlsplit(settings.store).path))
    found = {}
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if not name.startswith(".")]
        for name in files:
            if name.startswith("."):
                continue
            path = Path(folder) / name
            data, key = path.read_bytes(), (Path(folder) / name).relative_to(root).as_posix()
            digest = hashlib.sha256(data).hexdigest()
            if key.startswith("blobs/"):
                assert digest == name, f"{key} is half-written or altered"
                if unlike and unlike.encode() in data:
                    key = digest = _digest(data.replace(unlike.encode(), b"RUN"))
            elif key.startswith("results/"):
                json.loads(data)
            elif key.startswith(board_key("").removesuffix(".json")):
                digest = _digest(json.dumps(_timeless(json.loads(data))).encode())
            found[key] = digest
    return found


TIMES = {"at", "opened", "decided", "seen", "since", "work", "cost"}
"""Of a board: when it was, and the CPU time it took; the ledger's are left out as well."""


def _timeless(board: Any) -> Any:
    if isinstance(board, dict):
        return {name: _timeless(value) for name, value in board.items() if name not in TIMES}
    return [_timeless(value) for value in board] if isinstance(board, list) else board


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def shown(settings: Settings, pipeline: str) -> Shown:
    """Read MLflow: its SQLite file directly, a server through its own client."""
    if settings.mlflow.startswith("http"):
        return _served(settings, pipeline)
    path = Path(settings.mlflow.removeprefix("sqlite:///"))
    if not path.exists():
        return Shown(None, {}, {}, {}, {})
    database = sqlite3.connect(path)
    try:
        return _in_file(database, path.parent / "mlartifacts", pipeline)
    finally:
        database.close()


def _in_file(database: sqlite3.Connection, artifacts: Path, pipeline: str) -> Shown:
    def ask(sql: str, *values: Any) -> list[Any]:
        return sorted(database.execute(sql, values).fetchall(), key=repr)

    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    alias = ask("SELECT version FROM registered_model_aliases WHERE name = ?", pipeline)
    versions = ask(
        "SELECT v.version, coalesce(t.value, ''), v.run_id, v.source FROM model_versions v "
        "LEFT JOIN model_version_tags t ON t.name = v.name AND t.version = v.version "
        "AND t.key = ? WHERE v.name = ? AND v.current_stage <> 'Deleted_Internal'",
        KEY,
        pipeline,
    )
    runs = ask(
        "SELECT r.run_uuid, t.value, r.status FROM runs r JOIN tags t "
        "ON t.run_uuid = r.run_uuid AND t.key = ? WHERE r.lifecycle_stage = 'active'",
        KEY,
    )
    asked = {
        "tags": "SELECT run_uuid, key, value FROM tags",
        "params": "SELECT run_uuid, key, value FROM params",
        "metrics": "SELECT run_uuid, key, value, timestamp FROM metrics",
        "latest": "SELECT run_uuid, key, value, timestamp FROM latest_metrics",
        "inputs": "SELECT i.destination_id, d.name, d.digest, t.value FROM inputs i "
        "JOIN datasets d ON d.dataset_uuid = i.source_id "
        "JOIN input_tags t ON t.input_uuid = i.input_uuid",
        "versions": "SELECT version, run_id, current_stage, description FROM model_versions",
        "version tags": "SELECT version, key, value FROM model_version_tags",
    }
    more: dict[str, Any] = {name: ask(sql) for name, sql in asked.items()}
    more["version tags"] = [_tag(*row) for row in more["version tags"]]
    more["artifacts"] = {
        path.relative_to(artifacts).as_posix(): _digest(path.read_bytes())
        for path in sorted(artifacts.rglob("*"))
        if path.is_file() and "staging" not in path.relative_to(artifacts).parts
    }
    models = {}
    for version, _, _, source in versions:
        file = Path(unquote(urlsplit(source).path)) / "model.skops"
        models[version] = _digest(file.read_bytes()) if file.exists() else None
    return Shown(
        alias[0][0] if alias else None,
        {version: (key, run) for version, key, run, _ in versions},
        models,
        {run: (key, status) for run, key, status in runs},
        more,
    )


def _tag(version: int, key: str, value: str) -> tuple[int, str, str]:
    """A tag of a version; every home has a key of its own to sign with."""
    return version, key, "signed" if key == "everfit.signature" and value else value


def _served(settings: Settings, pipeline: str) -> Shown:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client = MlflowClient(settings.mlflow, settings.mlflow)
    try:
        alias = client.get_registered_model(pipeline).aliases.get("champion")
    except MlflowException:
        alias = None
    versions, models, more = {}, {}, {}
    for found in client.search_model_versions(f"name = '{pipeline}'"):
        number = int(found.version)
        versions[number] = (found.tags.get(KEY, ""), found.run_id)
        tags = sorted(_tag(number, key, value) for key, value in found.tags.items())
        more[f"v{number}"] = (found.description, tags)
        place = urlsplit(found.source).path.strip("/")
        file = SERVED[0] / place / "model.skops"
        models[number] = _digest(file.read_bytes()) if file.exists() else None
    runs = {}
    experiment = client.get_experiment_by_name(pipeline)
    if experiment is not None:
        for run in client.search_runs([experiment.experiment_id]):
            key = run.data.tags.get(KEY, "")
            runs[run.info.run_id] = (key, run.info.status)
            listed = _files(run.info.experiment_id, run.info.run_id)
            measured = [
                len(client.get_metric_history(run.info.run_id, name))
                for name in sorted(run.data.metrics)[:1]
            ]
            inputs = sorted((i.dataset.name, i.dataset.digest) for i in run.inputs.dataset_inputs)
            more[key] = (
                run.info.status,
                run.info.run_name,
                sorted(run.data.params.items()),
                sorted(run.data.metrics.items()),
                sorted(run.data.tags.items()),
                listed,
                measured,
                inputs,
            )
    return Shown(int(alias) if alias else None, versions, models, runs, more)


def _files(experiment: str, run: str) -> dict[str, str]:
    """Path → digest of the file, without the run's own name."""
    folder = SERVED[0] / experiment / run / "artifacts"
    return {
        path.relative_to(folder).as_posix(): _digest(
            path.read_bytes().replace(run.encode(), b"RUN")
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
