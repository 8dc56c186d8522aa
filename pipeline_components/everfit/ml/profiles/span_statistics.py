"""The statistics of a span, in one pass over its Parquet file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from everfit.contracts.base import Digest
from everfit.contracts.messages.statistics import SpanStatistics
from everfit.contracts.spec.table_schema import ColumnType
from everfit.data.tables.row_digests import Hashes
from everfit.ml.profiles.column_profile import ColumnProfile
from everfit.ml.profiles.hash_sample import HashSample

ROW_HASHES = 4_000_000
"""Rows whose repetitions are counted exactly (32 MB); beyond, estimated from a share of them."""

_VALUES_AT_ONCE = 5_000_000
_Watch = Callable[[int, int], None]
Tap = Callable[[Mapping[str, Hashes], int], None]
"""Is given the hashes of the values by column, and the number of rows, as they stream by."""
Tapping = Callable[[Mapping[str, ColumnType]], Tap]
"""Is asked for a tap once the columns and their types are known."""


def _unwatched(done: int, total: int) -> None:
    """Tell nobody."""
    del done, total


def profile_parquet(
    path: Path,
    digest: Digest,
    period: tuple[str | None, str | None] = (None, None),
    watch: _Watch = _unwatched,
    tapping: Tapping | None = None,
) -> SpanStatistics:
    """Statistics of a Parquet file.

    Parameters
    ----------
    path : Path
    digest : Digest
        Of the span; kept in the result.
    period : tuple of str or None
        Start and exclusive end of the span's period, ISO.
    watch : callable
        Told rows done and rows in total, now and then.
    tapping : callable, optional
        Gives what is to see the hash of every value on the way.
    """
    with pq.ParquetFile(path) as plain:
        schema, rows = plain.schema_arrow, plain.metadata.num_rows
    texts = [field.name for field in schema if _is_text(field.type)]
    at_once = min(max(_VALUES_AT_ONCE // max(len(schema), 1), 4_096), 131_072)
    with pq.ParquetFile(path, read_dictionary=texts, pre_buffer=False) as file:
        batches = file.iter_batches(batch_size=at_once, use_threads=False)
        return profile_batches(
            _pieces(batches, at_once // 2),
            schema,
            rows,
            digest,
            period=period,
            watch=watch,
            tapping=tapping,
        )


def profile_table(
    table: Any, digest: Digest, period: tuple[str | None, str | None] = (None, None)
) -> SpanStatistics:
    """Statistics of a table in memory.

    Parameters
    ----------
    table : pyarrow.Table
    digest : Digest
        Of the span; kept in the result.
    period : tuple of str or None
        Start and exclusive end of the span's period, ISO.
    """
    return profile_batches(iter([table]), table.schema, table.num_rows, digest, period=period)


def profile_batches(
    pieces: Iterable[Any],
    schema: Any,
    rows: int,
    digest: Digest,
    *,
    period: tuple[str | None, str | None],
    watch: _Watch = _unwatched,
    tapping: Tapping | None = None,
) -> SpanStatistics:
    """Statistics of tables of one schema, read one after another.

    Parameters
    ----------
    pieces : iterable of pyarrow.Table or RecordBatch
    schema : pyarrow.Schema
        Of all of them.
    rows : int
        Total, for the progress.
    digest : Digest
        Of the span; kept in the result.
    period : tuple of str or None
        Start and exclusive end of the span's period, ISO.
    watch : callable
        Told rows done and rows in total, now and then.
    tapping : callable, optional
        Gives what is to see the hash of every value on the way.
    """
    within = _period(period)
    profiles = [ColumnProfile(field.name, field.type, within) for field in schema]
    hashes = HashSample(ROW_HASHES, unique=False)
    tap = tapping({profile.name: profile.type for profile in profiles}) if tapping else None
    done = 0
    for piece in pieces:
        digests = np.zeros(piece.num_rows, dtype=np.uint64)
        of_values = {}
        for profile, column in zip(profiles, piece.columns, strict=True):
            found = profile.add(_one_array(column))
            digests += found
            if tap is not None:
                of_values[profile.name] = found
        hashes.add(digests)
        if tap is not None:
            tap(of_values, piece.num_rows)
        done += piece.num_rows
        watch(done, rows)
    seen, distinct = hashes.counts()
    return SpanStatistics(
        digest=digest,
        rows=done,
        duplicates=min(seen - distinct, done),
        duplicates_exact=hashes.exact,
        columns=tuple(profile.statistics() for profile in profiles),
    )


def _pieces(batches: Iterable[Any], least: int) -> Iterator[Any]:
    """Batches of at least so many rows, small ones joined: row groups may be tiny."""
    held: list[Any] = []
    count = 0
    for batch in batches:
        held.append(batch)
        count += batch.num_rows
        if count >= least:
            yield held[0] if len(held) == 1 else pa.Table.from_batches(held)
            held, count = [], 0
    if held:
        yield pa.Table.from_batches(held)


def _one_array(column: Any) -> Any:
    if not isinstance(column, pa.ChunkedArray):
        return column
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    joined = column.combine_chunks()
    if isinstance(joined, pa.ChunkedArray):
        joined = joined.chunk(0) if joined.num_chunks else pa.array([], column.type)
    return joined


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _period(period: tuple[str | None, str | None]) -> tuple[datetime, datetime] | None:
    start, end = period
    if start is None or end is None:
        return None
    return datetime.fromisoformat(start), datetime.fromisoformat(end)
