"""The databases a ledger can be kept in."""

from __future__ import annotations

from everfit.contracts.errors import UserError
from everfit.storage.ledger.connection import Connection


def open_connection(url: str) -> Connection:
    """Connect to the database at ``url``.

    Raises
    ------
    UserError
        If the URL names no database that a ledger can be kept in.
    CredentialsError, Unavailable
        If the database refuses or does not answer.
    """
    scheme, separator, rest = url.partition("://")
    backend = scheme.partition("+")[0]
    if separator and scheme in ("sqlite", "sqlite+pysqlite"):
        from everfit.storage.ledger.sqlite_connection import SQLiteConnection

        return SQLiteConnection(rest)
    if separator and backend in ("postgresql", "postgres"):
        from everfit.storage.ledger.server_connection import ServerConnection

        return ServerConnection(f"postgresql+psycopg://{rest}")
    raise UserError(
        "LEDGER-URL",
        "EVERFIT_LEDGER",
        "a ledger is sqlite:////absolute/file.db or postgresql+psycopg://user:password@host/name",
        f"its scheme is {scheme!r}" if separator else "it is not a URL",
        "Correct the setting",
    )
