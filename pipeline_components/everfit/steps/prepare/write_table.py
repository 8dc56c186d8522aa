"""A prepared table, written row group by row group."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

GROUP_ROWS = 131_072
"""Rows of a row group; the most that is held twice."""


def write_table(path: Path, table: dict[str, Any], extra: dict[str, Any], places: Any) -> None:
    """Write the rows at ``places``, in that order.

    Parameters
    ----------
    path : Path
        Created; equal content gives equal bytes.
    table : dict of str to pyarrow.Array or ChunkedArray
        The columns of all rows.
    extra : dict of str to numpy array
        Further columns of all rows: their digests, and their weights if any.
    places : int64 array
        Positions to write.
    """
    schema = pa.schema(
        [
            *((name, column.type) for name, column in table.items()),
            *((name, pa.from_numpy_dtype(values.dtype)) for name, values in extra.items()),
        ]
    )
    texts = [f.name for f in schema if pa.types.is_string(f.type)]
    with pq.ParquetWriter(
        path, schema, compression="snappy", use_dictionary=texts, write_statistics=False
    ) as writer:
        for start in range(0, len(places), GROUP_ROWS):
            some = places[start : start + GROUP_ROWS]
            index = pa.array(some)
            arrays = [column.take(index) for column in table.values()]
            writer.write_table(
                pa.table(
                    [*arrays, *(pa.array(values[some]) for values in extra.values())],
                    schema=schema,
                ),
                row_group_size=GROUP_ROWS,
            )
