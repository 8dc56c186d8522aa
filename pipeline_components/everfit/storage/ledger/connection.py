"""The thin line between the ledger and its database: insert, select, close.

SQLite is spoken to by the standard library alone, every other database by SQLAlchemy. A ledger
opened, read four times and written once costs 0.25 CPU seconds less without SQLAlchemy's import,
and that is most of what an unchanged run may cost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import sqlalchemy


class Connection(Protocol):
    """What the ledger asks of a database. Every statement commits by itself, durably."""

    where: str
    """What to call the database in an error; holds no secret."""

    def insert(self, sql: str, values: Mapping[str, Any]) -> None:
        """Insert at most one row."""

    def rows(self, sql: str, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Select every row."""

    def schema_version(self) -> str | None:
        """The last migration applied, or None in a database that holds no ledger."""

    def migrate(self) -> None:
        """Apply the migrations not yet applied, all or none, one process at a time."""

    def reading(self) -> AbstractContextManager[sqlalchemy.Connection]:
        """Every table as it is at one moment, whoever writes meanwhile."""

    def writing(self) -> AbstractContextManager[sqlalchemy.Connection]:
        """One transaction, all or none, one process at a time."""

    def close(self) -> None:
        """Let the database go."""
