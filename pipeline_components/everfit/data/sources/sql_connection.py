"""A database's connection for a ``sql`` source: its URL, read-only, its errors in our words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from everfit.contracts.errors import CredentialsError, EverfitError, SourceError, Unavailable


def read_only(connection: Any) -> None:
    """Have the database itself refuse whatever would change it, where it can."""
    dialect = connection.dialect.name
    if dialect == "postgresql":
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
    elif dialect == "sqlite":
        connection.exec_driver_sql("PRAGMA query_only = ON")
    elif dialect in ("mysql", "mariadb"):
        connection.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")
        connection.rollback()


def url_of(name: str, purpose: str = "a sql source") -> Any:
    """The SQLAlchemy URL that a variable holds.

    Parameters
    ----------
    name : str
        Of the variable.
    purpose : str
        What the connection is for, for messages.

    Raises
    ------
    CredentialsError, SourceError
        If it holds none, or names a file that is not there.
    """
    import sqlalchemy as sa

    text = os.environ.get(name)
    if not text:
        raise CredentialsError(
            "SOURCE-CONNECTION",
            name,
            f"the connection of {purpose} must be set",
            "there is no such variable",
            f"Set {name} to a SQLAlchemy URL such as postgresql+psycopg://user:password@host/db",
        )
    try:
        url = sa.make_url(text)
        if "@" in (url.host or ""):
            raise ValueError("the rest of a password")
    except (sa.exc.ArgumentError, ValueError):  # whose text may hold a part of the password
        raise CredentialsError(
            "SOURCE-CONNECTION",
            name,
            "a connection must be a SQLAlchemy URL",
            "it is none",
            "Write it like postgresql+psycopg://user:password@host/db, and of the password "
            "@ / : ? # as %40 %2F %3A %3F %23",
        ) from None
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg")
    missing = url.database and url.database != ":memory:" and "file:" not in url.database
    if url.get_backend_name() == "sqlite" and missing and not Path(url.database or "").exists():
        raise SourceError(
            "SOURCE-MISSING",
            name,
            "the database must exist",
            f"there is no file {url.database!r}",
            "Correct the connection",
        )
    return url


@contextmanager
def translated_errors(name: str) -> Iterator[None]:
    """Say what a driver or a database complains of in our words."""
    import sqlalchemy as sa

    try:
        yield
    except sa.exc.NoSuchModuleError as error:
        raise SourceError(
            "SOURCE-DRIVER",
            name,
            "the database's driver must be installed",
            str(error),
            "Install it where the components run",
        ) from error
    except ModuleNotFoundError as error:
        raise SourceError(
            "SOURCE-DRIVER",
            name,
            "the database's driver must be installed",
            f"there is no module {error.name!r}",
            "Install it where the components run",
        ) from error
    except sa.exc.DBAPIError as error:
        raise _translated(name, error) from error


def _translated(name: str, error: Any) -> EverfitError:
    import sqlalchemy as sa

    text = str(error.orig).splitlines()[0][:200] if str(error.orig) else type(error).__name__
    low = text.lower()
    if any(word in low for word in ("password", "authentication", "permission", "access denied")):
        return CredentialsError(
            "SOURCE-CREDENTIALS",
            name,
            "the database must accept the connection's user",
            text,
            "Correct the connection, or grant SELECT",
        )
    if "not a database" in low:
        return SourceError(
            "SOURCE-MISSING", name, "the database must be one", text, "Correct the connection"
        )
    if "readonly" in low or "read-only" in low or "read only" in low:
        return SourceError(
            "SOURCE-QUERY",
            "source.query",
            "the query must read and change nothing",
            text,
            "Write one SELECT; what changes data belongs into a job of its own",
        )
    ours = "no such" in low or "syntax" in low or "misuse" in low or "unable to open" in low
    if isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError) and not ours:
        return Unavailable(
            "SOURCE-UNAVAILABLE",
            name,
            "the database must answer",
            text,
            "Check that it runs, and try again",
        )
    return SourceError(
        "SOURCE-QUERY",
        "source.query",
        "the query must be one the database can run",
        text,
        "Try it in the database's own shell",
    )
