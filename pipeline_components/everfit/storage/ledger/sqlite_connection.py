"""A ledger in a SQLite file, through the standard library alone."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from everfit.contracts.errors import EverfitError, Unavailable, UserError
from everfit.storage.ledger.statements import SCHEMA_VERSION
from everfit.storage.sqlite_errors import failure_of

if TYPE_CHECKING:
    import sqlalchemy

BUSY_SECONDS = 30.0
"""How long to wait for another process to finish writing."""


class SQLiteConnection:
    """One connection in autocommit mode; threads of the process take turns.

    Parameters
    ----------
    location : str
        What follows ``sqlite://`` in the URL: ``/file.db`` relative to the working folder,
        ``//absolute/file.db``, or nothing for a ledger in memory.
    """

    def __init__(self, location: str) -> None:
        name = location.removeprefix("/")
        if (not location.startswith("/") and location) or "?" in name:
            raise UserError(
                "LEDGER-URL",
                "EVERFIT_LEDGER",
                "a SQLite ledger is sqlite:////absolute/file.db, without host or options",
                todo="Correct the setting",
            )
        self.where = f"ledger {name or 'in memory'}"
        self._lock = threading.Lock()
        with self._plainly():
            if name not in ("", ":memory:"):
                Path(name).parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(
                name or ":memory:",
                timeout=BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
            # A power cut must not take back a record that something was done upon.
            self._database.execute("PRAGMA synchronous = FULL")

    def insert(self, sql: str, values: Mapping[str, Any]) -> None:
        """Insert at most one row."""
        with self._lock, self._plainly():
            self._database.execute(sql, values)

    def rows(self, sql: str, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Select every row."""
        with self._lock, self._plainly():
            return self._database.execute(sql, values).fetchall()

    def schema_version(self) -> str | None:
        """The last migration applied, or None in a database that holds no ledger."""
        with self._lock, self._plainly():
            try:
                row = self._database.execute(SCHEMA_VERSION).fetchone()
            except sqlite3.OperationalError as error:
                if "no such table" in str(error):
                    return None
                raise
            return row[0] if row else None

    def migrate(self) -> None:
        """Apply the migrations not yet applied, all or none."""
        from everfit.storage.ledger.migrations import upgrade

        with self.writing() as connection:
            upgrade(connection, self.where)

    @contextmanager
    def reading(self) -> Iterator[sqlalchemy.Connection]:
        """Every table as it is at one moment, which the write-ahead log keeps."""
        with self._lock, self._plainly(), self._transaction("BEGIN") as connection:
            yield connection.execution_options(yield_per=1000)

    @contextmanager
    def writing(self) -> Iterator[sqlalchemy.Connection]:
        """One transaction whose first statement takes the write lock.

        Whoever comes second finds all done.
        """
        with self._lock, self._plainly():
            self._use_write_ahead_log()
            with self._transaction("BEGIN IMMEDIATE") as connection:
                yield connection

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlalchemy.Connection]:
        from sqlalchemy import StaticPool, create_engine, event
        from sqlalchemy.exc import DBAPIError

        engine = create_engine("sqlite://", creator=lambda: self._database, poolclass=StaticPool)
        event.listen(engine, "begin", lambda c: c.exec_driver_sql(begin))
        try:
            with engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            raise explained(error.orig or error, self.where) from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def _use_write_ahead_log(self) -> None:
        """Let readers and a writer work at once; the file remembers it."""
        give_up = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                self._database.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                # SQLite does not wait here where two processes switch at once.
                if "locked" not in str(error) or time.monotonic() > give_up:
                    raise
                time.sleep(0.02)

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        """Say in one line what a person can do."""
        try:
            yield
        except EverfitError:
            raise
        except (sqlite3.Error, OSError) as error:
            raise explained(error, self.where) from error


def explained(error: BaseException, where: str) -> EverfitError:
    """What SQLite's complaint means for a person."""
    text = str(error)
    match failure_of(error):
        case "busy":
            return Unavailable(
                "LEDGER-BUSY",
                where,
                f"other processes must let go of the ledger within {BUSY_SECONDS:.0f} s",
                text,
                "Look for a stopped process that holds the file, and try again",
            )
        case "full":
            return Unavailable(
                "LEDGER-FULL",
                where,
                "the disk must have room",
                text,
                "Free some space and try again",
            )
        case "damaged":
            return UserError(
                "LEDGER-DAMAGED",
                where,
                "the file must be a sound SQLite database",
                text,
                "Restore it from a backup, or give another file with EVERFIT_LEDGER",
            )
        case "access":
            return UserError(
                "LEDGER-FILE",
                where,
                "the file and its folder must be writable",
                text,
                "Correct the permissions or EVERFIT_LEDGER",
            )
    return Unavailable("LEDGER", where, "the database must answer", text)
