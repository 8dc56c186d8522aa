"""Small Parquet and JSON files for the gate, with bytes that depend on their content alone."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from everfit.data.tables.frames import ROW, WEIGHT
from everfit.ml.scoring.resampling import Floats, Integers


def losses(
    digests: np.typing.NDArray[np.uint64],
    by_model: Mapping[str, Floats],
    weight: Floats | None = None,
) -> bytes:
    """Row losses as Parquet: ``__row`` (uint64), ``candidate``, ``baseline`` (float64).

    Where rows are weighted, ``__weight`` (float64) as well.

    Parameters
    ----------
    digests : (n,) uint64 array
    by_model : mapping
        Column → (n,) losses; NaN becomes missing.
    weight : (n,) float64 array, optional
    """
    import pyarrow as pa

    columns = {ROW: pa.array(digests, pa.uint64())}
    for name, values in by_model.items():
        columns[name] = pa.array(values, pa.float64(), from_pandas=True)
    if weight is not None:
        columns[WEIGHT] = pa.array(weight, pa.float64())
    return _parquet(pa.table(columns))


def raw_rows(path: Path, columns: Sequence[str], rows: Integers) -> bytes:
    """Some rows of a prepared table as Parquet, in the types of that table.

    Parameters
    ----------
    path : Path
        The prepared table.
    columns : sequence of str
        To keep.
    rows : (k,) int array
        Row positions, ascending.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    pieces, start = [], 0
    with pq.ParquetFile(path) as file:
        empty = file.schema_arrow.empty_table().select(list(columns))
        for group in range(file.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            here = rows[(rows >= start) & (rows < start + size)] - start
            if here.size:
                table = file.read_row_group(group, columns=list(columns), use_threads=False)
                pieces.append(table.select(list(columns)).take(pa.array(here)))
            start += size
    table = pa.concat_tables(pieces) if pieces else empty
    return _parquet(table.replace_schema_metadata(None))


def _parquet(table: Any) -> bytes:
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", version="2.6")
    return buffer.getvalue()
