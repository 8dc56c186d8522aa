"""All rows of a table or a query as one span, for tables that are written to be scored."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from everfit.contracts.errors import UserError
from everfit.contracts.messages.spans import SpanRef
from everfit.contracts.spec.score import database_in
from everfit.contracts.spec.source import SqlSourceSpec
from everfit.data.sources.source import Fetching, Listing
from everfit.data.sources.sql import BATCH_ROWS, SqlSource
from everfit.data.sources.sql_connection import read_only, translated_errors, url_of
from everfit.data.sources.sql_query import check_query
from everfit.steps.score.destination import DATABASE

_TABLE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def is_database(address: str) -> bool:
    """Whether an address is of a database."""
    return address.startswith(DATABASE)


def whole_query(address: str, reading: dict[str, Any]) -> SqlSourceSpec:
    """The source of ``sql:connection:table`` or ``sql:connection:SELECT …``.

    Parameters
    ----------
    address : str
    reading : dict
        The fields of a source that say how values are read.

    Raises
    ------
    UserError
        If it is neither.
    """
    found = database_in(address)
    if found is None:
        raise UserError(
            "SCORE-INPUT",
            "--input",
            "a database is written sql:connection:table, or with a SELECT in the table's place",
            f"it is {address[:60]!r}",
            "Name the connection whose URL is in EVERFIT_CONN_<NAME>",
        )
    connection, table = found
    query = f"SELECT * FROM {table}" if _TABLE.fullmatch(table) else table  # noqa: S608
    return SqlSourceSpec(connection=connection, query=query, watermark="*", **reading)


class WholeQuery(SqlSource):
    """Every row that a query gives now, in a fixed order; nothing is cut by time."""

    @property
    def connection(self) -> str:
        """The connection that reads it."""
        return self._source.connection

    @property
    def table(self) -> str | None:
        """The table that is read; None where a query is."""
        name = self._source.query.removeprefix("SELECT * FROM ")
        return name if _TABLE.fullmatch(name) else None

    def list(self) -> Listing:
        """One span, named after its table; only reading it says whether it has changed."""
        where = f"{self._source.address}:{self._source.query}"
        return Listing((SpanRef(name=self.table or "query", fingerprint="", location=where),))

    @contextmanager
    def fetch_rows(self, ref: SpanRef) -> Iterator[Fetching]:  # noqa: ARG002  (there is one)
        """Ask for the rows, in batches."""
        import sqlalchemy as sa

        source = self._source
        check_query(source.query)
        setting = f"EVERFIT_CONN_{source.connection.upper()}"
        url = url_of(setting)
        with translated_errors(setting):
            engine = sa.create_engine(url)
        try:
            with translated_errors(setting), engine.connect() as connection:
                read_only(connection)
                query = source.query.strip().rstrip(";")
                # Colons would be taken for parameters; none of the user's are.
                rows: Any = sa.text(
                    "(" + re.sub(r"(?<!\\):", r"\\:", query) + "\n) AS everfit_source"
                )
                everything = sa.select(sa.text("*")).select_from(rows)
                there = list(connection.execute(everything.limit(0)).keys())
                columns: list[Any] = [sa.column(n) for n in there if n in (source.columns or there)]
                count = sa.select(sa.func.count()).select_from(rows)
                listed = int(connection.execute(count).scalar_one())
                result = connection.execution_options(
                    stream_results=True, yield_per=BATCH_ROWS
                ).execute(
                    sa.select(*(columns or [sa.column(there[0])]))
                    .select_from(rows)
                    .order_by(*(sa.column(name) for name in there))
                )
                yield Fetching(
                    [column.name for column in columns] or there[:1],
                    (list(batch) for batch in result.partitions(BATCH_ROWS)),
                    listed=listed,
                    same=lambda: True,  # the number of rows read is compared with those listed
                    origin={"connection": source.connection, "query": source.query},
                    texts_may_be_times=connection.dialect.name == "sqlite",
                )
        finally:
            engine.dispose()
