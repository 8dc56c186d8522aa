"""Writing a snapshot: typed batches in, one Parquet file with the same bytes every time out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from everfit.contracts.messages.spans import RowTimes
from everfit.data.tables.column_types import type_name

GROUP_ROWS = 131_072
"""Rows of a row group: what a reader holds in memory at once."""

FAR = 10
"""A time so many times the middle half's width after it cannot be true, if it is years after it."""

YEAR = 365 * 86_400_000_000
"""Microseconds."""


@dataclass(frozen=True)
class Written:
    """What is in the file."""

    rows: int
    columns: dict[str, str]
    time_min: str | None
    time_max: str | None
    """Times that are years after all others do not count."""
    times: RowTimes | None = None


def write_parquet(batches: Iterable[Any], schema: Any, target: Path, time: str | None) -> Written:
    """Write batches of one schema as row groups of equal size.

    Parameters
    ----------
    batches : iterable of pyarrow.RecordBatch
        Of any size; columns of the five types.
    schema : pyarrow.Schema
        Of every batch.
    target : Path
        Overwritten.
    time : str, optional
        Column whose times are noted, where it is a timestamp.

    Returns
    -------
    Written
    """
    rows = 0
    seen: list[Any] = []
    watch = (
        time is not None and time in schema.names and pa.types.is_timestamp(schema.field(time).type)
    )
    with pq.ParquetWriter(
        target, schema, compression="snappy", store_schema=False, version="2.6"
    ) as writer:
        for table in _groups(batches, schema):
            rows += table.num_rows
            if watch:
                column = table.column(time).drop_null().cast(pa.timestamp("us"))
                seen.append(column.cast(pa.int64()).to_numpy())
            writer.write_table(table, row_group_size=GROUP_ROWS)
    first, last, times = _when(np.concatenate(seen)) if any(map(len, seen)) else (None, None, None)
    return Written(
        rows=rows,
        columns={field.name: type_name(field.type) for field in schema},
        time_min=first,
        time_max=last,
        times=times,
    )


def _groups(batches: Iterable[Any], schema: Any) -> Iterator[Any]:
    """Cut the stream into tables of ``GROUP_ROWS``, the last one shorter."""
    held: list[Any] = []
    count = 0
    for batch in batches:
        held.append(batch)
        count += batch.num_rows
        while count >= GROUP_ROWS:
            table = pa.Table.from_batches(held, schema)
            yield table.slice(0, GROUP_ROWS).combine_chunks()
            rest = table.slice(GROUP_ROWS)
            held, count = rest.to_batches(), rest.num_rows
    if count:
        yield pa.Table.from_batches(held, schema).combine_chunks()


def _when(times: Any) -> tuple[str, str, RowTimes]:
    """The earliest and the latest time that can be true, and how the times lie.

    Parameters
    ----------
    times : (n,) int64 array
        Microseconds since 1970; at least one.
    """
    quarter = len(times) // 4
    low, high = np.partition(times, [quarter, 3 * quarter])[[quarter, 3 * quarter]].tolist()
    possible = times[times <= high + max(FAR * (high - low), YEAR)]
    ahead = len(times) - len(possible)
    found = RowTimes(
        begin=_iso(low),
        end=_iso(high),
        ahead=ahead,
        furthest=_iso(times.max()) if ahead else None,
    )
    return _iso(possible.min()), _iso(possible.max()), found


def _iso(micros: int) -> str:
    found: str = pa.scalar(int(micros), pa.timestamp("us")).as_py().isoformat()
    return found
