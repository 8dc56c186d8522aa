"""What a ledger, MLflow's file and a store hold, read past the code that is under test."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from everfit.contracts.board import board_key
from everfit.contracts.settings import Settings
from everfit.storage.store import open_store

KEY = "everfit.run_key"

Rows = dict[str, list[dict[str, Any]]]
"""Table of the ledger → its records."""

TIMES = {"at", "opened", "decided", "seen", "since", "work", "cost"}
"""Of a board: when it was, and the CPU time it took; the ledger's are left out as well."""


class Broken(AssertionError):
    """A promise that does not hold."""


def hold(held: bool, what: str) -> None:
    """Go on where a promise holds.

    Raises
    ------
    Broken
        Where it does not.
    """
    if not held:
        raise Broken(what)


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
    """Every record of every table, without the row's number and time.

    Raises
    ------
    Broken
        If SQLite finds its file damaged.
    """
    if url.startswith("sqlite"):
        path = url.removeprefix("sqlite:///")
        if not Path(path).exists():
            return {}
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'everfit_%'"
        try:
            whole = database.execute("PRAGMA integrity_check").fetchone()
            hold(whole == ("ok",), f"the ledger's file is damaged: {whole}")
            return _tables(database.cursor(), names)
        finally:
            database.close()
    import psycopg

    names = (
        "SELECT table_name FROM information_schema.tables "
        "WHERE table_schema = current_schema() AND table_name LIKE 'everfit_%'"
    )
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        return _tables(connection.cursor(), names)


def _tables(cursor: Any, names: str) -> Rows:
    cursor.execute(names)
    found: Rows = {}
    for (table,) in sorted(cursor.fetchall()):
        cursor.execute(f"SELECT * FROM {table}")  # noqa: S608 (a name the database gave)
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

    Raises
    ------
    Broken
        If a blob is not what its name says, or a result is no document.
    """
    found = {}
    for key, data in objects(settings.store):
        listed, digest = key, _digest(data)
        if key.startswith("blobs/"):
            hold(digest == key.rpartition("/")[2], f"{key} is half-written or altered")
            if unlike and unlike.encode() in data:
                listed = digest = _digest(data.replace(unlike.encode(), b"RUN"))
        elif key.startswith("results/"):
            try:
                json.loads(data)
            except ValueError:
                raise Broken(f"{key} is no whole document") from None
        elif key.startswith(board_key("").removesuffix(".json")):
            digest = _digest(json.dumps(_timeless(json.loads(data))).encode())
        found[listed] = digest
    return found


_READ: dict[tuple[str, str, int, float], bytes] = {}
"""Store, key, size and time → bytes that were read: a check of a bucket reads what is new."""


def objects(url: str) -> Iterator[tuple[str, bytes]]:
    """Every key of a store with its bytes.

    Parameters
    ----------
    url : str
        ``file://`` or ``s3://``.
    """
    if url.startswith("s3://"):
        store = open_store(url)
        for entry in store.entries(""):
            known = (url, entry.key, entry.size, entry.used)
            if known not in _READ:
                _READ[known] = store.read(entry.key) or b""
            yield entry.key, _READ[known]
        return
    root = Path(unquote(urlsplit(url).path))
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if not name.startswith(".")]
        for name in files:
            if not name.startswith("."):
                path = Path(folder) / name
                yield path.relative_to(root).as_posix(), path.read_bytes()


def _timeless(board: Any) -> Any:
    if isinstance(board, dict):
        return {name: _timeless(value) for name, value in board.items() if name not in TIMES}
    return [_timeless(value) for value in board] if isinstance(board, list) else board


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def mlflow_in_file(settings: Settings, pipeline: str) -> Shown:
    """Read MLflow's SQLite file, and the artifacts beside it.

    Raises
    ------
    Broken
        If SQLite finds the file damaged.
    """
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

    whole = database.execute("PRAGMA integrity_check").fetchone()
    hold(whole == ("ok",), f"MLflow's file is damaged: {whole}")
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
    more["version tags"] = [unsigned(*row) for row in more["version tags"]]
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


def unsigned(version: int, key: str, value: str) -> tuple[int, str, str]:
    """A tag of a version; every home has a key of its own to sign with."""
    return version, key, "signed" if key == "everfit.signature" and value else value


def comparable(rows: Rows, mlflow: Shown, store: dict[str, str]) -> dict[str, Any]:
    """All that outlives processes, comparable between worlds that ended alike.

    Parameters
    ----------
    rows, mlflow, store
        As ``ledger_rows``, ``mlflow_in_file`` and ``stored`` give them; the rows are changed.
    """
    rows.pop("costs", None)  # seconds; and a kill between result and cost leaves none
    rows.pop("ledger_version", None)
    for version in rows.get("versions", ()):  # every home has a key of its own to sign with
        version["signature"] = bool(version.get("signature"))
    for entry in rows.get("promotions", ()):  # and the digest of an entry holds its time
        for name in ("signature", "previous"):
            entry[name] = bool(entry.get(name))
    return {
        "ledger": rows,
        "alias": mlflow.alias,
        "versions": mlflow.versions,
        "models": mlflow.models,
        "runs": sorted(mlflow.runs.values()),
        "more": {name: held for name, held in mlflow.more.items() if held},
        "store": store,
    }
