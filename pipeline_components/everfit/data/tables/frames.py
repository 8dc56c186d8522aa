"""Parquet as pandas frames with a few fixed types, so that a column means the same everywhere.

========================  =====================================================================
Parquet                   pandas
========================  =====================================================================
integer without nulls     ``int64``
integer with nulls        ``float64``, NaN where missing
float, decimal            ``float64``
boolean without nulls     ``bool``
boolean with nulls        ``float64``: 1.0, 0.0 and NaN (no object arrays, same arithmetic)
text, dictionary of text  ``str`` (pandas' text type backed by Arrow; NaN where missing)
timestamp, date           ``datetime64[us]`` without a zone; a zoned one is converted to UTC
nothing but nulls         ``float64``, all NaN
64-bit unsigned           ``uint64``: only the digests ``__row`` and ``__shown`` are such columns
========================  =====================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

ROW = "__row"
"""The column of a prepared table that holds each row's 64-bit content digest."""
SHOWN = "__shown"
"""The digest of what a model sees of a row and of its target, as far as a new delivery keeps it."""
PIECE = "__piece"
"""Which piece of the window a training row is from (``redelivery.pieces_of``)."""
WEIGHT = "__weight"
"""How much a row counts, in units of the training rows' mean; only where the spec weighs rows."""
RESERVED = (ROW, SHOWN, PIECE, WEIGHT)
"""Columns of a prepared table that are no columns of the source."""


def read_table(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a Parquet file into a frame of the types above.

    Parameters
    ----------
    path : Path
        A Parquet file.
    columns : sequence of str, optional
        Read only these, in this order; default all, in the file's order.

    Returns
    -------
    DataFrame
        With a plain ``RangeIndex``.

    Raises
    ------
    KeyError
        If a column asked for is not in the file.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        if columns is not None:
            there = set(file.schema_arrow.names)
            absent = [name for name in columns if name not in there]
            if absent:
                raise KeyError(f"{path.name} has no column {absent[0]!r}")
        table = file.read(columns=None if columns is None else list(columns), use_threads=False)
    if columns is not None:
        table = table.select(list(columns))
    return to_frame(table)


def read_weights(path: Path) -> Any:
    """The weights of a prepared table's rows, (n,) float64; None where it has none."""
    import pyarrow.parquet as pq

    if WEIGHT not in pq.read_schema(path).names:
        return None
    return read_table(path, [WEIGHT])[WEIGHT].to_numpy("float64")


def to_frame(table: Any) -> pd.DataFrame:
    """Turn an Arrow table or record batch into a frame of the types above.

    The table is given up column by column: hold no other reference to it where memory is short.

    Parameters
    ----------
    table : pyarrow.Table or pyarrow.RecordBatch

    Returns
    -------
    DataFrame
    """
    import pandas as pd

    names, rows = list(table.schema.names), table.num_rows
    columns = [table.column(position) for position in range(len(names))]
    del table
    data = {}
    for position, name in enumerate(names):
        data[name] = _column(columns[position])
        columns[position] = None
    return pd.DataFrame(data, index=pd.RangeIndex(rows), columns=names, copy=False)


def to_arrow(column: Any) -> Any:
    """Cast an Arrow column to the few types above.

    Returns
    -------
    pyarrow.Array or ChunkedArray
        int64, uint64, float64, bool, string or timestamp[us]. Types without a place in a table
        of features (lists, structs, binary) come out as text.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_uint64(kind) or pa.types.is_boolean(kind):
        return column
    if pa.types.is_integer(kind):
        return column.cast(pa.int64())
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        return column.cast(pa.float64())
    if pa.types.is_timestamp(kind):
        # Arrow keeps zoned timestamps as UTC, so dropping the zone is the conversion.
        return column.cast(pa.timestamp("us", kind.tz), safe=False).cast(pa.timestamp("us"))
    if pa.types.is_date(kind):
        return column.cast(pa.timestamp("us"))
    if pa.types.is_string(kind):
        return column
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return column.cast(pa.string())
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        return pa.array([None if v is None else str(v) for v in column.to_pylist()], pa.string())
    return pc.cast(column, pa.string())


def _column(column: Any) -> Any:
    import pandas as pd
    import pyarrow as pa

    column = to_arrow(column)
    if column.null_count and pa.types.is_boolean(column.type):
        column = column.cast(pa.float64())
    if pa.types.is_string(column.type):
        return pd.array(column, dtype="str")
    return (
        column.to_numpy(zero_copy_only=False)
        if isinstance(column, pa.Array)
        else (column.to_numpy())
    )


def type_name(dtype: Any) -> str:
    """``integer``, ``float``, ``string``, ``boolean`` or ``timestamp``: a pandas type's word.

    Raises
    ------
    TypeError
        If it is none of the types above.
    """
    import pandas as pd

    if pd.api.types.is_bool_dtype(dtype):
        return "boolean"
    if pd.api.types.is_integer_dtype(dtype):
        return "integer"
    if pd.api.types.is_float_dtype(dtype):
        return "float"
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return "timestamp"
    if pd.api.types.is_string_dtype(dtype):
        return "string"
    raise TypeError(f"{dtype} is not a type of a table")
