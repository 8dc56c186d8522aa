"""What a component sees of its surroundings: Everfit's settings and credentials, no Airflow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

HIDDEN = re.compile(r"^_*AIRFLOW|^PYTHON|^VIRTUAL_ENV|^EVERFIT_PYTHON$")
"""Airflow's own settings hold secrets; Python's would point a component at Airflow's libraries."""

DIALECTS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "sqlite": "sqlite",
}
"""Airflow connection type → SQLAlchemy dialect, where their names differ."""

HANDED_ON = (
    "EVERFIT_STORE",
    "EVERFIT_DATA",
    "EVERFIT_ALLOWED_HOSTS",
    "EVERFIT_MLFLOW_PAGE",
    "EVERFIT_CPU_HOUR_PRICE",
    # What chooses the kernels of numerical libraries: the same bits in a container as beside it.
    "MKL_CBWR",
    "NPY_DISABLE_CPU_FEATURES",
    "NPY_ENABLE_CPU_FEATURES",
    "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE",
)
"""What of Airflow's environment means something in a container, where paths are other ones."""

OF_CONTAINERS = {"HOME": "/tmp", "EVERFIT_HOME": "/tmp/everfit"}  # noqa: S108
"""The only folder that a container writes to, where no volume is mounted."""


def container_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a component in a container, but for its credentials.

    Parameters
    ----------
    environ : mapping
        Airflow's own environment.
    """
    kept = {name: environ[name] for name in HANDED_ON if environ.get(name)}
    return OF_CONTAINERS | kept


def child_environment(environ: Mapping[str, str], root: str) -> dict[str, str]:
    """The environment of a component that is a process.

    Parameters
    ----------
    environ : mapping
        Airflow's own environment.
    root : str
        The folder that holds ``dags/``: the component runs in a private folder and cannot find it.
    """
    kept = {name: value for name, value in environ.items() if not HIDDEN.search(name)}
    kept["EVERFIT_ROOT"] = root
    return kept


def variable_of(connection: str) -> str:
    """The variable that hands a connection to a component."""
    return f"EVERFIT_CONN_{connection.upper()}"


def connection_url(
    kind: str,
    login: str | None,
    password: str | None,
    host: str | None,
    port: int | None,
    schema: str | None,
) -> str:
    """An Airflow connection as a SQLAlchemy URL; holds the password, so it is never logged."""
    dialect = DIALECTS.get(kind, kind)
    if dialect == "sqlite":
        return f"sqlite:///{host or schema or ''}"
    user = quote(login or "", safe="")
    if password:
        user += ":" + quote(password, safe="")
    place = (host or "") + (f":{port}" if port else "")
    return f"{dialect}://{user + '@' if user else ''}{place}/{quote(schema or '', safe='')}"
