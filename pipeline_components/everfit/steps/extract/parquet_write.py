"""Writing a snapshot: typed batches in, one Parquet file with the same bytes every time out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from everfit.data.tables.column_types import type_name

GROUP_ROWS = 131_072
"""Rows of a row group: what a reader holds in memory at once."""


@dataclass(frozen=True)
class Written:
    """What is in the file."""

    rows: int
    columns: dict[str, str]
    time_min: str | None
    time_max: str | None


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
        Column whose earliest and latest value are noted, where it is a timestamp.

    Returns
    -------
    Written
    """
    rows = 0
    range_ = _TimeRange()
    watch = (
        time is not None and time in schema.names and pa.types.is_timestamp(schema.field(time).type)
    )
    with pq.ParquetWriter(
        target, schema, compression="snappy", store_schema=False, version="2.6"
    ) as writer:
        for table in _groups(batches, schema):
            rows += table.num_rows
            if watch:
                range_.see(table.column(time))
            writer.write_table(table, row_group_size=GROUP_ROWS)
    return Written(
        rows=rows,
        columns={field.name: type_name(field.type) for field in schema},
        time_min=range_.earliest.isoformat() if range_.earliest else None,
        time_max=range_.latest.isoformat() if range_.latest else None,
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


class _TimeRange:
    def __init__(self) -> None:
        self.earliest: Any = None
        self.latest: Any = None

    def see(self, column: Any) -> None:
        found = pc.min_max(column)
        low, high = found["min"].as_py(), found["max"].as_py()
        if low is not None:
            self.earliest = low if self.earliest is None else min(self.earliest, low)
            self.latest = high if self.latest is None else max(self.latest, high)
