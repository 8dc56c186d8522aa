"""The only way to MLflow."""

from __future__ import annotations

import errno
from pathlib import Path
from urllib.parse import quote, urlsplit

from everfit.contracts.errors import RequestError, Unavailable, UserError, from_system
from everfit.contracts.settings import Settings
from everfit.storage.mlflow.base import (
    ALIAS,
    MONITOR_KEY,
    RUN_KEY,
    Dataset,
    Files,
    LoggedRun,
    Registry,
    RunLog,
    RunPlace,
    ShownVersion,
    monitoring_experiment,
)

__all__ = [
    "ALIAS",
    "MONITOR_KEY",
    "RUN_KEY",
    "Dataset",
    "Files",
    "LoggedRun",
    "Registry",
    "RunLog",
    "RunPlace",
    "ShownVersion",
    "champion_alias",
    "check_address",
    "database_path",
    "monitoring_experiment",
    "open_registry",
    "prepare_database",
    "run_page",
]


_SCHEMES = ("http", "https", "sqlite", "postgresql", "mysql", "mssql", "databricks")


def open_registry(settings: Settings, pipeline: str) -> Registry:
    """Open the registry that ``settings.mlflow`` names, for one pipeline.

    A SQLite file whose schema is known and whose artifacts are local is written directly; every
    other address goes through MLflow's client.

    Raises
    ------
    RequestError
        If the address holds a credential or is none.
    Unavailable
        If it does not answer.
    """
    check_address(settings)
    path = database_path(settings)
    if path is not None:
        prepare_database(settings)
        from everfit.storage.mlflow.sqlite import SqliteRegistry

        registry = SqliteRegistry(path, artifact_folder(settings))
        if registry.understood() and registry.keeps_locally(pipeline):
            return registry
        registry.close()
    from everfit.storage.mlflow.client import ClientRegistry

    return ClientRegistry(settings.mlflow, artifact_folder(settings))


def prepare_database(settings: Settings) -> Path | None:
    """Put a migrated database in place where MLflow is a SQLite file that does not exist yet.

    Call it before a server is pointed at the file: several processes that meet an empty database
    destroy it.

    Returns
    -------
    Path or None
        The file; None where MLflow is something else.

    Raises
    ------
    UserError
        If it cannot be written.
    Unavailable
        If there is no room for it.
    """
    path = database_path(settings)
    if path is not None:
        import sqlite3

        from everfit.storage.mlflow.template import provide_database

        try:
            provide_database(path, artifact_folder(settings))
        except sqlite3.Error as error:  # while the copy is pointed at its own artifacts
            raise Unavailable(
                "REGISTRY-UNAVAILABLE",
                str(path),
                "MLflow's database and artifact folder must be free to write",
                str(error),
                "Look for a full disk or another writer, and try again",
            ) from error
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):  # there may be room again
                raise from_system(error) from error
            raise UserError(
                "REGISTRY-RIGHTS",
                str(path),
                "MLflow's database must be in a folder that can be written",
                error.strerror,
                "Correct the rights, or set EVERFIT_MLFLOW",
            ) from error
    return path


def champion_alias(settings: Settings, pipeline: str) -> int | None:
    """The version ``@champion`` names in MLflow; None without one. Makes nothing."""
    path = database_path(settings)
    if path is not None and not path.exists():
        return None
    with open_registry(settings, pipeline) as registry:
        return registry.alias(pipeline)


def run_page(settings: Settings, experiment: str, run: str) -> str | None:
    """The address of a run in MLflow's pages; None where no page is known."""
    if not settings.mlflow_page or not experiment:
        return None
    base = settings.mlflow_page.rstrip("/")
    return f"{base}/#/experiments/{quote(experiment)}/runs/{quote(run)}"


def artifact_folder(settings: Settings) -> Path:
    """Where artifacts go when MLflow is a database and no server decides."""
    return settings.home / "mlartifacts"


def database_path(settings: Settings) -> Path | None:
    """The SQLite file ``settings.mlflow`` names; None for any other address."""
    uri = settings.mlflow
    if not uri.startswith("sqlite:///") or "?" in uri:
        return None
    name = uri.removeprefix("sqlite:///")
    return Path(name).absolute() if name and name != ":memory:" else None


def check_address(settings: Settings) -> None:
    """Look at the address alone, so that a run learns of a wrong one before it trains.

    Raises
    ------
    RequestError
        If it holds a credential or is none.
    """
    try:
        parts = urlsplit(settings.mlflow)
        backend = parts.scheme.partition("+")[0]
    except ValueError:
        backend = ""
    if backend not in _SCHEMES:
        raise RequestError(
            "REGISTRY-URL",
            "EVERFIT_MLFLOW",
            "MLflow is https://host, sqlite:////absolute/file.db or postgresql://user@host/name",
            f"its scheme is {backend!r}" if backend else "it is not a URL",
            "Correct the setting",
        )
    if parts.scheme in ("http", "https") and (parts.username or parts.password):
        raise RequestError(
            "REGISTRY-URL",
            "EVERFIT_MLFLOW",
            "an address holds no credentials",
            "it has a user name or password in it",
            "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD instead",
        )
