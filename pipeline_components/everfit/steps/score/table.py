"""Predictions in a table of a database: rows of a span and their receipt in one transaction.

Beside the table ``scores`` lies ``scores_scored`` with the receipt of each span and version.
A kill before the commit leaves what was there; after it, the next call finds the receipt.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from everfit.contracts.base import canonical_json
from everfit.contracts.errors import (
    CredentialsError,
    EverfitError,
    Unavailable,
    UserError,
    shortlist,
)
from everfit.contracts.spec.score import database_in
from everfit.data.sources import Source
from everfit.data.sources.sql_connection import url_of
from everfit.steps.score.destination import Destination, Form, Receipt
from everfit.steps.score.whole_query import WholeQuery

BATCH_ROWS = 5_000
"""Rows sent to the database at a time."""

LONGEST_TABLE = 56
"""Letters of a name that leave room for ``_scored`` within PostgreSQL's 63."""

LONGEST_SPAN = 700
"""Letters of a span's name: an index of MySQL holds no more."""

_TABLE = re.compile(r"([A-Za-z_]\w*\.)?[A-Za-z_]\w*", re.ASCII)


class Table(Destination):
    """A table that a connection of the environment reaches.

    Parameters
    ----------
    connection : str
        Its URL is in ``EVERFIT_CONN_<NAME>``.
    table : str
        Its name, or ``schema.name``.
    """

    others = "are rows"
    replaced = "the table"

    def __init__(self, connection: str, table: str) -> None:
        self.connection, self.table = connection, table
        self.address = f"sql:{connection}:{table}"
        self._variable = f"EVERFIT_CONN_{connection.upper()}"
        schema, _, self._name = table.rpartition(".")
        self._schema = schema or None

    def name(self, span: str, version: int, form: Form) -> str:  # noqa: ARG002  (rows have none)
        """Span and version."""
        return f"{span} v{version}"

    def where(self, name: str) -> str:
        """The table, and which rows of it."""
        return f"{self.address} {name}"

    def staged(self, name: str, scratch: Path) -> Path:  # noqa: ARG002
        """A private file: the database waits for no model."""
        return scratch / f"scored-{secrets.token_hex(4)}.parquet"

    def publish(self, path: Path, name: str, receipt: Receipt) -> Receipt:
        """Receipt and rows, in one transaction; the receipt first, so that one writer goes on."""
        import sqlalchemy as sa

        with pq.ParquetFile(path) as file:
            rows, receipts = self._tables(file.schema_arrow, name)
            done = receipt.model_copy(update={"state": _state(file.metadata.num_rows)})
            which = {"span": receipt.span, "version": receipt.version}
            with self._explained(), self._engine.begin() as connection:
                connection.execute(sa.delete(receipts).where(_are(receipts, which)))
                self._note(connection, receipts, which, done)
                connection.execute(sa.delete(rows).where(_are(rows, which)))
                insert = sa.insert(rows)
                for batch in file.iter_batches(BATCH_ROWS, use_threads=False):
                    connection.execute(insert, batch.to_pylist())
        return done

    def state(self, name: str) -> str | None:
        """How many rows there are."""
        import sqlalchemy as sa

        if not self._is_there(self._name):
            return None
        rows = sa.Table(self._name, sa.MetaData(), *_keys(primary=False), schema=self._schema)
        with self._explained(), self._engine.connect() as connection:
            count = sa.select(sa.func.count()).select_from(rows).where(_are(rows, _which(name)))
            number = int(connection.execute(count).scalar_one())
        return _state(number) if number else None

    def receipt(self, name: str) -> Receipt | None:
        """Of the rows of a span and version."""
        import sqlalchemy as sa

        if not self._is_there(f"{self._name}_scored"):
            return None
        receipts = self._receipts()
        with self._explained(), self._engine.connect() as connection:
            found = sa.select(receipts.c.receipt).where(_are(receipts, _which(name)))
            text = connection.execute(found).scalar_one_or_none()
        try:
            return Receipt.model_validate_json(text) if text is not None else None
        except ValidationError:
            return None

    def _is_below(self, source: Source) -> bool:
        if not isinstance(source, WholeQuery):
            return False
        return (source.connection, source.table) == (self.connection, self.table)

    @cached_property
    def _engine(self) -> Any:
        import sqlalchemy as sa

        url = url_of(self._variable, "predictions")
        with self._explained():
            return sa.create_engine(url, poolclass=sa.NullPool)

    def _is_there(self, table: str) -> bool:
        import sqlalchemy as sa

        with self._explained(), self._engine.connect() as connection:
            return bool(sa.inspect(connection).has_table(table, schema=self._schema))

    def _receipts(self) -> Any:
        import sqlalchemy as sa

        return sa.Table(
            f"{self._name}_scored",
            sa.MetaData(),
            *_keys(primary=True),
            sa.Column("receipt", sa.Text, nullable=False),
            schema=self._schema,
        )

    def _tables(self, columns: Any, name: str) -> tuple[Any, Any]:
        """Both tables, made where they are not there.

        Raises
        ------
        UserError
            If a table of that name lacks a column.
        """
        import sqlalchemy as sa

        keys = {column.name: column for column in _keys(primary=False)}
        rows = sa.Table(
            self._name,
            sa.MetaData(),
            *(keys.get(one.name, sa.Column(one.name, _type(one.type))) for one in columns),
            sa.Index(f"{self._name}_scored_span", "span", "version"),
            schema=self._schema,
        )
        receipts = self._receipts()
        for table in (rows, receipts):
            if not self._is_there(table.name):
                self._make(table)
        with self._explained(), self._engine.connect() as connection:
            there = sa.inspect(connection).get_columns(self._name, schema=self._schema)
        lacking = [one for one in columns.names if one not in {known["name"] for known in there}]
        if lacking:
            raise UserError(
                "SCORE-COLUMNS",
                self.where(name),
                "the table must have every column that is written",
                f"it lacks {shortlist(lacking)}",
                "Add them, or name another table",
            )
        return rows, receipts

    def _make(self, table: Any) -> None:
        try:
            with self._explained(), self._engine.begin() as connection:
                table.create(connection)
        except EverfitError:
            if not self._is_there(table.name):  # else another process was faster
                raise

    def _note(self, connection: Any, receipts: Any, which: dict[str, Any], done: Receipt) -> None:
        """Write the receipt.

        Raises
        ------
        Unavailable
            If another process has written one meanwhile.
        """
        import sqlalchemy as sa

        try:
            values = {**which, "receipt": canonical_json(done).decode()}
            connection.execute(sa.insert(receipts).values(**values))
        except sa.exc.IntegrityError as error:
            raise Unavailable(
                "SCORE-UNAVAILABLE",
                self.address,
                "one process writes the predictions of a span",
                "another has written them at the same time",
                "Try again",
            ) from error

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say what a driver or a database complains of in our words, without a password."""
        import sqlalchemy as sa

        try:
            yield
        except (sa.exc.SQLAlchemyError, ModuleNotFoundError) as error:
            raise self._translated(error) from error

    def _translated(self, error: Exception) -> EverfitError:
        import sqlalchemy as sa

        lines = str(getattr(error, "orig", None) or error).splitlines() or [type(error).__name__]
        text = lines[0][:200]
        password = getattr(url_of(self._variable, "predictions"), "password", None)
        if password:
            text = text.replace(str(password), "***")
        low = text.lower()
        if isinstance(error, ModuleNotFoundError | sa.exc.NoSuchModuleError):
            must, todo = "the database's driver must be installed", "Install it"
            return UserError("SCORE-OUTPUT", self._variable, must, text, todo)
        if any(word in low for word in ("password", "authentication", "permission", "denied")):
            return CredentialsError(
                "SCORE-CREDENTIALS",
                self._variable,
                "the connection's user must be allowed to make and fill the table",
                text,
                "Correct the connection, or grant CREATE, SELECT, INSERT and DELETE",
            )
        busy = "locked" in low or "deadlock" in low or "serializ" in low
        ours = any(word in low for word in ("no such", "syntax", "unable to open", "readonly"))
        lost = isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError) and not ours
        if busy or lost:
            return Unavailable(
                "SCORE-UNAVAILABLE",
                self._variable,
                "the database must answer and take the rows",
                text,
                "Check that it runs, and try again",
            )
        return UserError(
            "SCORE-OUTPUT",
            self.address,
            "the table must take the rows",
            text,
            "Name a new table, which is made with the right columns, or correct this one",
        )


def table_at(address: str) -> Table:
    """The table of ``sql:connection:table``.

    Raises
    ------
    UserError
        If it names none.
    """
    found = database_in(address)
    table = found[1] if found else ""
    if found is None or not _TABLE.fullmatch(table) or len(table.split(".")[-1]) > LONGEST_TABLE:
        raise UserError(
            "SCORE-OUTPUT",
            "--output",
            "a table is written sql:CONNECTION:TABLE, or with SCHEMA.TABLE; its name has letters, "
            f"digits and underscores, at most {LONGEST_TABLE}",
            f"it is {address[:60]!r}" if "@" not in address else "it holds an @",
            "Name the connection whose URL is in EVERFIT_CONN_<CONNECTION>",
        )
    return Table(found[0], table)


def _keys(*, primary: bool) -> tuple[Any, Any]:
    import sqlalchemy as sa

    return (
        sa.Column("span", sa.String(LONGEST_SPAN), primary_key=primary, nullable=False),
        sa.Column(
            "version", sa.BigInteger, primary_key=primary, nullable=False, autoincrement=False
        ),
    )


def _which(name: str) -> dict[str, Any]:
    span, _, version = name.rpartition(" v")
    return {"span": span, "version": int(version)}


def _are(table: Any, which: dict[str, Any]) -> Any:
    import sqlalchemy as sa

    return sa.and_(*(table.c[column] == value for column, value in which.items()))


def _type(kind: Any) -> Any:
    """The SQL type of a column of predictions."""
    import sqlalchemy as sa

    if pa.types.is_timestamp(kind):
        return sa.DateTime(timezone=kind.tz is not None)
    if pa.types.is_boolean(kind):
        return sa.Boolean()
    if pa.types.is_integer(kind):
        return sa.BigInteger()
    return sa.Double() if pa.types.is_floating(kind) else sa.Text()


def _state(rows: int) -> str:
    return f"{rows} rows"
