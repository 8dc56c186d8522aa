"""Who each row is about, and what names it, as one number each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from everfit.data.tables.frames import ROW
from everfit.data.tables.row_digests import Hashes, row_digests, scatter


def entity_digests(table: Any, entity: tuple[str, ...], rows: Hashes) -> Hashes:
    """Digest the entity columns of a table.

    Parameters
    ----------
    table : pyarrow.Table or pyarrow.RecordBatch of n rows
    entity : tuple of str
        The columns that say together who a row is about, in any order.
    rows : uint64 array of shape (n,)
        Row digests.

    Returns
    -------
    uint64 array of shape (n,)
        A row that names nobody is its own entity.
    """
    who = row_digests(table, sorted(entity))
    return np.where(who == 0, scatter(rows, salt=1), who)


def read_entities(path: Path, entity: tuple[str, ...]) -> Hashes | None:
    """Digest the entity columns of a prepared table; they must all be there.

    Returns
    -------
    uint64 array of shape (n,), or None
        None where no entity is declared.
    """
    import pyarrow.parquet as pq

    if not entity:
        return None
    table = pq.read_table(path, columns=[*entity, ROW])
    return entity_digests(table, entity, table.column(ROW).to_numpy())


def read_keys(path: Path, key: tuple[str, ...]) -> Hashes | None:
    """Digest the key columns of a prepared table; they must all be there.

    Returns
    -------
    uint64 array of shape (n,), or None
        0 where nothing names the row; None where no key is declared.
    """
    import pyarrow.parquet as pq

    if not key:
        return None
    return row_digests(pq.read_table(path, columns=list(key)), sorted(key))


def column_kinds(schema: Any, columns: tuple[str, ...]) -> dict[str, str]:
    """Column → ``number``, ``text`` or ``time``, of those of the columns an Arrow schema has.

    One value has one digest as long as it is of one kind: 7 and 7.0 are the same, 7 and "7" not.
    """
    import pyarrow as pa

    kinds = {}
    for name in columns:
        if name in schema.names:
            kind = schema.field(name).type
            text, time = pa.types.is_string(kind), pa.types.is_timestamp(kind)
            kinds[name] = "text" if text else "time" if time else "number"
    return kinds
