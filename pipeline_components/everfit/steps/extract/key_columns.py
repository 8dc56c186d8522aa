"""Keys, times and rows of a table in Parquet, a batch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from everfit.contracts.visible import visible
from everfit.data.tables.column_types import cast, type_name
from everfit.data.tables.point_in_time import NEVER
from everfit.data.tables.row_digests import Hashes, Integers, row_digests
from everfit.steps.extract.parquet_read import BATCH_ROWS


def read_keys(file: Any, on: Sequence[str], time: str | None) -> tuple[Hashes, Integers | None]:
    """Digest of each row's key (0 where a part of it is missing), and its time as an integer.

    Parameters
    ----------
    file : pyarrow.parquet.ParquetFile
    on : sequence of str
        The key.
    time : str or None
        None: no times are read.
    """
    keys: list[Hashes] = []
    times: list[Integers] = []
    columns = [*on, *([time] if time and time not in on else [])]
    for batch in file.iter_batches(BATCH_ROWS, columns=columns, use_threads=False):
        found = row_digests(batch, on)
        for name in on:
            found[batch.column(name).is_null().to_numpy(zero_copy_only=False)] = 0
        keys.append(found)
        if time:
            column = batch.column(time).cast(pa.int64()).fill_null(NEVER)
            times.append(column.to_numpy(zero_copy_only=False))
    every = np.concatenate(keys) if keys else np.zeros(0, dtype=np.uint64)
    if time is None:
        return every, None
    return every, np.concatenate(times) if times else np.zeros(0, dtype=np.int64)


def on_disk(values: Any, room: Path, what: str) -> Any:
    """An array as a file that is mapped into memory."""
    if values is None:
        return None
    room.mkdir(exist_ok=True)
    np.save(room / f"{what}.npy", values)
    return np.load(room / f"{what}.npy", mmap_mode="r") if len(values) else values


def take_rows(path: Path, columns: Sequence[str], rows: Integers, schema: Any) -> list[Any]:
    """Some rows of a file, row group by row group."""
    taken, begin = [], 0
    with pq.ParquetFile(path) as file:
        for group in range(file.metadata.num_row_groups):
            count = file.metadata.row_group(group).num_rows
            mine = rows[(rows >= begin) & (rows < begin + count)] - begin
            begin += count
            if not len(mine):
                continue
            table = file.read_row_group(group, columns=columns, use_threads=False)
            table = table.select(columns).take(pa.array(mine))
            arrays = [
                cast(one_array(column), field.type)
                if column.null_count < len(column)
                else pa.nulls(len(column), field.type)
                for column, field in zip(table.columns, schema, strict=True)
            ]
            taken.append(pa.RecordBatch.from_arrays(arrays, schema=schema))
    return taken


def one_array(column: Any) -> Any:
    """A column of a table as one array."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def sort_of(kind: Any) -> str:
    """Types whose equal values are one key."""
    name = type_name(kind)
    return "number" if name in ("integer", "float", "boolean") else name


def orders(kind: Any) -> bool:
    """Whether values of a type say which row is newer."""
    return type_name(kind) in ("timestamp", "integer")


def without_values(file: Any, name: str) -> bool:
    """Whether a column holds no value at all: of what type it would be nobody knows."""
    at = file.schema_arrow.names.index(name)
    groups = (file.metadata.row_group(n) for n in range(file.metadata.num_row_groups))
    return all(
        group.column(at).statistics is not None
        and group.column(at).statistics.null_count == group.num_rows
        for group in groups
    )


def example_of(file: Any, name: str) -> str:
    """A value of a column, as a person can see it; empty where there is none."""
    if isinstance(file, Path):
        with pq.ParquetFile(file) as opened:
            return example_of(opened, name)
    for batch in file.iter_batches(BATCH_ROWS, columns=[name], use_threads=False):
        values = pc.drop_null(batch.column(0))
        if len(values):
            return visible(values[0].as_py())
    return ""
