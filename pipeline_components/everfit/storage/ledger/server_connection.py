"""A ledger in a PostgreSQL database, through SQLAlchemy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection as Transaction
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, ProgrammingError, SQLAlchemyError

from everfit.contracts.errors import CredentialsError, EverfitError, Unavailable, UserError
from everfit.storage.ledger.statements import SCHEMA_VERSION

CONNECT_SECONDS = 10
MIGRATION_LOCK = 0x65766572666974
"""The number of the advisory lock under which a schema is made: ``everfit`` in ASCII."""

# A connection that was refused has no SQLSTATE, only libpq's words.
_REFUSED = ("authentication failed", "no password supplied", "does not exist", "pg_hba.conf")
_UNDEFINED_TABLE = "42P01"
_NOT_LET_IN = {"28000", "28P01", "3D000", "42501"}
"""SQLSTATEs: authorisation, password, unknown database, privilege."""


class ServerConnection:
    """A pool that opens a connection when it is first needed and again when it was lost.

    Parameters
    ----------
    url : str
        ``postgresql+psycopg://user:password@host:port/database``.
    """

    def __init__(self, url: str) -> None:
        self.where, self._password = "ledger", None
        with self._plainly():
            address = make_url(url)
            if "@" in (address.host or ""):
                raise ValueError("the rest of a password")
            self.where = f"ledger {address.render_as_string(hide_password=True)}"
            self._password = address.password
            options = (
                {} if "connect_timeout" in address.query else {"connect_timeout": CONNECT_SECONDS}
            )
            # Training may take hours between two records: ping before use.
            self._engine = create_engine(
                address, connect_args=options, pool_pre_ping=True, hide_parameters=True
            )

    def insert(self, sql: str, values: Mapping[str, Any]) -> None:
        """Insert at most one row."""
        with self._plainly(), self._engine.begin() as connection:
            connection.execute(text(sql), _clean(values))

    def rows(self, sql: str, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Select every row."""
        with self._plainly(), self._engine.connect() as connection:
            return connection.execute(text(sql), _clean(values)).all()

    def schema_version(self) -> str | None:
        """The last migration applied, or None in a database that holds no ledger."""
        with self._plainly(), self._engine.connect() as connection:
            try:
                row = connection.execute(text(SCHEMA_VERSION)).first()
            except ProgrammingError as error:
                if getattr(error.orig, "sqlstate", None) == _UNDEFINED_TABLE:
                    return None
                raise
            return row[0] if row else None

    def migrate(self) -> None:
        """Apply the migrations not yet applied, all or none."""
        from everfit.storage.ledger.migrations import upgrade

        with self.writing() as connection:
            upgrade(connection, self.where)

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """Every table as it is at one moment; rows come in pieces."""
        with self._plainly(), self._engine.connect() as connection:
            yield connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True, yield_per=1000
            )

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """One transaction under an advisory lock."""
        with self._plainly(), self._engine.begin() as connection:
            connection.execute(
                text("SELECT pg_advisory_xact_lock(:number)"), {"number": MIGRATION_LOCK}
            )
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        """Say in one line what a person can do."""
        try:
            yield
        except SQLAlchemyError as error:
            raise explained(error, self.where, self._password) from None
        except ValueError:  # what it holds may be a part of the password
            raise _wrong_url(self.where, _NOT_ENCODED, self._password) from None


_NOT_ENCODED = (
    "its port is no number, or the password holds @ / : ? or # as it is, which are written "
    "%40 %2F %3A %3F %23"
)


def explained(error: SQLAlchemyError, where: str, password: str | None) -> EverfitError:
    """What the database's complaint means for a person; never shows the password."""
    if isinstance(error, ArgumentError):
        return _wrong_url(where, None, password)
    cause = error.orig if isinstance(error, DBAPIError) else error
    found = _without(password, str(cause).strip().splitlines()[0] if str(cause) else None)
    state = getattr(cause, "sqlstate", None)
    if state in _NOT_LET_IN or (not state and any(word in str(cause) for word in _REFUSED)):
        return CredentialsError(
            "LEDGER-CREDENTIALS",
            where,
            "the database must exist, let the user in and let it make tables",
            found,
            "Correct the user, password or database in EVERFIT_LEDGER",
        )
    return Unavailable(
        "LEDGER-UNAVAILABLE",
        where,
        "the database must answer",
        found,
        "Check that it runs and can be reached from here",
    )


def _wrong_url(where: str, found: str | None, password: str | None) -> UserError:
    return UserError(
        "LEDGER-URL",
        where,
        "a ledger on a server is postgresql+psycopg://user:password@host:port/database",
        _without(password, found),
        "Correct EVERFIT_LEDGER",
    )


def _without(password: str | None, message: str | None) -> str | None:
    return message.replace(password, "***") if message and password else message


def _clean(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values PostgreSQL can hold: its text has no NUL."""
    return {
        name: value.replace("\0", "\N{REPLACEMENT CHARACTER}") if isinstance(value, str) else value
        for name, value in values.items()
    }
