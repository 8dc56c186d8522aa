"""A whole ledger as lines of text, and a ledger made of them: between databases of either kind.

The first line names the schema, each further one a row: its table, and its values by column. A row
gets a new ``id``, in the order of the old ones; nothing refers to an ``id``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from everfit.contracts.base import canonical_json
from everfit.contracts.errors import IntegrityError, UserError
from everfit.storage.ledger.connection import Connection
from everfit.storage.ledger.databases import open_connection
from everfit.storage.ledger.schema import refuse_unknown

if TYPE_CHECKING:
    import sqlalchemy

BATCH = 1000


def dump_ledger(url: str, write: Callable[[bytes], object]) -> dict[str, int]:
    """Hand on every record as it is at one moment.

    Returns
    -------
    dict of str to int
        Table → rows.

    Raises
    ------
    UserError
        If there is no ledger, or an Everfit of another time wrote it.
    """
    with _opened(url) as connection:
        version = connection.schema_version()
        if version is None:
            raise UserError(
                "BACKUP-LEDGER",
                connection.where,
                "what is backed up must hold a ledger",
                "it holds none",
                "Correct EVERFIT_LEDGER, or run a pipeline first",
            )
        refuse_unknown(connection.where, version)
        with connection.reading() as reading:
            write(canonical_json({"schema": version}))
            return {name: _dump_table(reading, name, write) for name in _tables(reading)}


def load_ledger(url: str, lines: Iterable[bytes]) -> dict[str, int]:
    """Make the ledger of what ``dump_ledger`` wrote, whole or not at all.

    Older records come in as they were and are then migrated.

    Returns
    -------
    dict of str to int
        Table → rows.

    Raises
    ------
    UserError
        If there are records already, or an Everfit of another time wrote the lines.
    """
    rows = (json.loads(line) for line in lines)
    schema = next(rows)["schema"]
    with _opened(url) as connection:
        refuse_unknown(f"the backup for {connection.where}", schema)
        before = connection.schema_version()
        with connection.writing() as writing:
            _refuse_records(writing, connection.where)
            if before not in (None, schema):
                raise UserError(
                    "RESTORE-SCHEMA",
                    connection.where,
                    f"an empty ledger of schema {schema}, or no ledger, is restored into",
                    f"it is of schema {before}",
                    "Give a new database with EVERFIT_LEDGER",
                )
            from everfit.storage.ledger.migrations import upgrade

            upgrade(writing, connection.where, schema)
            counts = _load_rows(writing, rows)
            upgrade(writing, connection.where)
    return counts


def holds_records(url: str) -> bool:
    """Whether a ledger at this address has any record; it is not made where there is none."""
    with _opened(url) as connection:
        if connection.schema_version() is None:
            return False
        with connection.reading() as reading:
            return any(_count(reading, name) for name in _tables(reading))


@contextmanager
def _opened(url: str) -> Iterator[Connection]:
    connection = open_connection(url)
    try:
        yield connection
    finally:
        connection.close()


def _tables(connection: sqlalchemy.Connection) -> list[str]:
    """The ledger's tables that there are, sorted; an older schema has fewer."""
    from sqlalchemy import inspect

    from everfit.storage.ledger.migrations import VERSION_TABLE

    names = inspect(connection).get_table_names()
    return sorted(n for n in names if n.startswith("everfit_") and n != VERSION_TABLE)


def _dump_table(
    connection: sqlalchemy.Connection, name: str, write: Callable[[bytes], object]
) -> int:
    from sqlalchemy import text

    found = connection.execute(text(f'SELECT * FROM "{name}" ORDER BY id'))  # noqa: S608 (ours)
    count = 0
    for row in found.mappings():
        values = {column: value for column, value in row.items() if column != "id"}
        write(canonical_json({"table": name, "row": values}))
        count += 1
    return count


def _load_rows(connection: sqlalchemy.Connection, rows: Iterable[Any]) -> dict[str, int]:
    from sqlalchemy import text

    counts: Counter[str] = Counter(dict.fromkeys(_tables(connection), 0))
    waiting: list[dict[str, Any]] = []
    statement = ""
    for item in rows:
        table, row = item["table"], item["row"]
        if table not in counts:
            raise IntegrityError(
                "RESTORE-LEDGER",
                "the backup's ledger",
                "its rows must be of the ledger's tables",
                f"one is of {str(table)[:40]!r}",
                "Restore another backup",
            )
        columns = sorted(row)
        names = ", ".join(f'"{name}"' for name in columns)
        bound = ", ".join(f":{name}" for name in columns)
        insert = f'INSERT INTO "{table}" ({names}) VALUES ({bound})'  # noqa: S608 (a table of ours)
        if waiting and (insert != statement or len(waiting) == BATCH):
            connection.execute(text(statement), waiting)
            waiting = []
        statement = insert
        waiting.append(row)
        counts[table] += 1
    if waiting:
        connection.execute(text(statement), waiting)
    return dict(counts)


def _refuse_records(connection: sqlalchemy.Connection, where: str) -> None:
    for name in _tables(connection):
        if _count(connection, name):
            raise not_empty(where, f"{name} has records")


def _count(connection: sqlalchemy.Connection, name: str) -> int:
    from sqlalchemy import text

    return int(connection.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one())  # noqa: S608 (ours)


def not_empty(where: str, found: str) -> UserError:
    """The error for a place that holds something which a restore might spoil."""
    return UserError(
        "RESTORE-NOT-EMPTY",
        where,
        "a backup is restored into a place of its own, which is empty",
        found,
        "Give a new one with EVERFIT_LEDGER and EVERFIT_STORE",
    )
