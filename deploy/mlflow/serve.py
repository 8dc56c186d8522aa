"""Starts the MLflow server with logins; its secrets come from files (see the Dockerfile).

::

    python serve.py [OPTION OF `mlflow server` …]
    python serve.py upgrade        bring an older MLflow's database up to date, then end

Secrets are handed on in the environment of the server alone, never on a command line, and what
each holds is never shown.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import MutableMapping
from pathlib import Path
from typing import NoReturn

FROM_FILES = (
    "MLFLOW_BACKEND_STORE_URI",
    "MLFLOW_AUTH_DATABASE_URI",
    "PGPASSWORD",
    "MLFLOW_ADMIN_USERNAME",
    "MLFLOW_ADMIN_PASSWORD",
    "MLFLOW_FLASK_SERVER_SECRET_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
)
NEEDED = ("MLFLOW_BACKEND_STORE_URI", "MLFLOW_ADMIN_PASSWORD", "MLFLOW_FLASK_SERVER_SECRET_KEY")
LOGINS = """[mlflow]
default_permission = {permission}
database_uri = {database}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
"""


def fail(where: str, must: str, todo: str) -> NoReturn:
    """Say in one line what a person must fix."""
    sys.stderr.write(f"MLFLOW-SERVER {where}: {must}. {todo}.\n")
    sys.exit(2)


def read_files(environ: MutableMapping[str, str]) -> None:
    """Set each variable of which ``<NAME>_FILE`` names a file, without the line end."""
    for name in FROM_FILES:
        path = environ.pop(f"{name}_FILE", "")
        if not path or environ.get(name):
            continue
        try:
            environ[name] = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            fail(f"{name}_FILE", f"must be a file it can read; {error.strerror}", "Mount it")


def logins(environ: MutableMapping[str, str]) -> Path:
    """The file of settings of MLflow's logins, which only this user can read."""
    database = environ.get("MLFLOW_AUTH_DATABASE_URI") or environ["MLFLOW_BACKEND_STORE_URI"]
    handle, name = tempfile.mkstemp(prefix="mlflow-logins-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(
            LOGINS.format(
                permission=environ.get("MLFLOW_DEFAULT_PERMISSION") or "READ",
                database=database.replace("%", "%%"),  # the reader of the file takes %% for %
            )
        )
    return Path(name)


def set_password(database: str, name: str, password: str) -> None:
    """Give the first user the password of its file, where there is such a user already.

    The server takes the password for its first start alone; the file is what counts.
    """
    from mlflow.exceptions import MlflowException  # noqa: PLC0415
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore  # noqa: PLC0415

    store = SqlAlchemyStore()
    store.init_db(database)
    try:
        if store.has_user(name) and not store.authenticate_user(name, password):
            store.update_user(name, password=password)
    except MlflowException as error:
        fail(
            "MLFLOW_ADMIN_PASSWORD", f"must be one that MLflow takes; {error.message}", "Change it"
        )


def upgrade(database: str) -> None:
    """Bring the schema of an older MLflow up to date, with no address on a command line."""
    from mlflow.store.db.utils import _upgrade_db, create_sqlalchemy_engine_with_retry  # noqa: PLC0415

    engine = create_sqlalchemy_engine_with_retry(database)
    _upgrade_db(engine)
    engine.dispose()


def main() -> None:
    """Read the settings and become the server."""
    environ = os.environ
    read_files(environ)
    for name in NEEDED if sys.argv[1:] != ["upgrade"] else NEEDED[:1]:
        if not environ.get(name):
            fail(name, "must be set; it is not", f"Set {name}_FILE to a file that holds it")
    if sys.argv[1:] == ["upgrade"]:
        upgrade(environ["MLFLOW_BACKEND_STORE_URI"])
        return
    environ["MLFLOW_AUTH_CONFIG_PATH"] = str(logins(environ))
    environ["MLFLOW_AUTH_ADMIN_USERNAME"] = environ.pop("MLFLOW_ADMIN_USERNAME", "") or "admin"
    environ["MLFLOW_AUTH_ADMIN_PASSWORD"] = environ.pop("MLFLOW_ADMIN_PASSWORD")
    set_password(
        environ.get("MLFLOW_AUTH_DATABASE_URI") or environ["MLFLOW_BACKEND_STORE_URI"],
        environ["MLFLOW_AUTH_ADMIN_USERNAME"],
        environ["MLFLOW_AUTH_ADMIN_PASSWORD"],
    )
    environ.setdefault("MLFLOW_ARTIFACTS_DESTINATION", "/mlflow/artifacts")
    environ.setdefault("MLFLOW_HOST", "0.0.0.0")  # noqa: S104 (a container's own network)
    environ.setdefault("MLFLOW_WORKERS", "1")
    command = ["mlflow", "server", "--app-name", "basic-auth", *sys.argv[1:]]
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main()
