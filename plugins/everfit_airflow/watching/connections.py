"""An Airflow connection as the components take it, asked for without holding up the triggerer."""

from __future__ import annotations

import logging
import os

from airflow.sdk import Connection

from everfit_airflow.security.child_environment import connection_url, variable_of

log = logging.getLogger(__name__)


async def connection_of(name: str) -> str | None:
    """The URL of a connection; None where the environment has it, or nobody.

    It goes to the lister with the request, and is kept and logged nowhere.
    """
    if variable_of(name) in os.environ:
        return None
    try:
        found = await Connection.async_get(name)
    except Exception:  # the lister says which connection is missing, and how to give it
        return None
    return connection_url(
        found.conn_type, found.login, found.password, found.host, found.port, found.schema
    )
