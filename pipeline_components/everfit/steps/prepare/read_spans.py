"""Snapshots batch by batch: conform types, compute the target, leave out rows without one, digest.

Memory holds one batch of the snapshot and the columns kept so far, never a whole raw table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from everfit.contracts.errors import SourceError
from everfit.contracts.messages.requests import PrepareRequest
from everfit.contracts.messages.spans import Span
from everfit.contracts.spec.expression import columns_of
from everfit.data.tables.entity_digests import entity_digests
from everfit.data.tables.evaluate_expression import evaluate
from everfit.data.tables.frames import to_arrow, to_frame
from everfit.data.tables.row_digests import Hashes, row_digests
from everfit.steps.prepare.weights import row_weights

BATCH_ROWS = 131_072
"""Rows held raw at a time."""

ARROW = {
    "integer": pa.int64(),
    "float": pa.float64(),
    "string": pa.string(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us"),
}


@dataclass(frozen=True)
class EveryRow:
    """The rows of a batch, those without a target too."""

    keys: Hashes
    labelled: np.ndarray[Any, np.dtype[np.bool_]]
    times: Any | None


@dataclass
class SpanRows:
    """What was kept of one span; arrays have one entry per kept row, those of ``every`` per row."""

    name: str
    digest: str
    rows_read: int = 0
    every: list[EveryRow] = field(default_factory=list)
    """Of each batch, where a key is declared: a version without a target replaces older ones."""
    batches: list[Any] = field(default_factory=list)
    targets: list[Any] = field(default_factory=list)
    rows: list[Hashes] = field(default_factory=list)
    entities: list[Hashes] = field(default_factory=list)
    alike: list[Hashes] = field(default_factory=list)
    times: list[Any] = field(default_factory=list)
    weights: list[Any] = field(default_factory=list)


def read_span(
    path: Path,
    span: Span,
    request: PrepareRequest,
    keep: list[str],
    features: list[str],
    dropped: dict[str, int],
    progress: Callable[[int], None],
) -> SpanRows:
    """Read one snapshot.

    Parameters
    ----------
    path : Path
        Parquet.
    span : Span
    request : PrepareRequest
    keep : list of str
        Columns to keep, without the target.
    features : list of str
        Columns a model sees.
    dropped : dict of str to int
        Reason → rows; added to.
    progress : callable
        Called with the number of rows after each batch.

    Returns
    -------
    SpanRows

    Raises
    ------
    SourceError
        If a value does not fit its column's type over all spans.
    """
    out = SpanRows(span.name, span.digest)
    content = sorted(request.columns)
    with pq.ParquetFile(path) as file:
        present = [column for column in file.schema_arrow.names if column in request.columns]
        for raw in file.iter_batches(BATCH_ROWS, columns=present, use_threads=False):
            batch = _conform(raw, request.columns, span.name)
            out.rows_read += batch.num_rows
            target, good = _target(batch, request)
            times = None if request.time is None else _times(batch.column(request.time))
            if request.key:
                keys = row_digests(batch, sorted(request.key))
                out.every.append(EveryRow(keys, good, times))
            lost = batch.num_rows - int(good.sum())
            if lost:
                dropped["target_missing"] = dropped.get("target_missing", 0) + lost
                batch, target = batch.filter(pa.array(good)), target.filter(pa.array(good))
            rows = row_digests(batch, content)
            out.rows.append(rows)
            if request.entity:
                out.entities.append(entity_digests(batch, request.entity, rows))
            if request.fraction is not None:
                out.alike.append(row_digests(batch, features))
            if times is not None:
                out.times.append(times[good])
            if request.weight is not None:
                out.weights.append(row_weights(batch, request.weight, span.name))
            out.batches.append(batch.select(keep))
            out.targets.append(target)
            progress(raw.num_rows)
    return out


def _conform(raw: Any, columns: dict[str, str], span: str) -> Any:
    """Give a batch the columns and types the table has over all spans; absent ones are missing."""
    arrays = []
    for name, kind in columns.items():
        wanted = ARROW[kind]
        position = raw.schema.get_field_index(name)
        if position < 0:
            arrays.append(pa.nulls(raw.num_rows, wanted))
            continue
        column = to_arrow(raw.column(position))
        if column.type != wanted:
            try:
                column = (
                    column.cast(pa.float64()).cast(wanted)
                    if (kind == "boolean" and pa.types.is_integer(column.type))
                    else column.cast(wanted)
                )
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                raise SourceError(
                    "PREPARE-TYPE",
                    f"span {span} column {name!r}",
                    f"its values must be readable as {kind}",
                    f"they are {column.type}",
                    "Write the column's type into the schema file",
                ) from error
        arrays.append(column)
    return pa.record_batch(arrays, names=list(columns))


def _target(batch: Any, request: PrepareRequest) -> tuple[Any, np.ndarray[Any, Any]]:
    """The target of each row, and whether it is there and finite."""
    if request.target_expression is None:
        values = batch.column(request.target)
    else:
        needed = sorted(columns_of(request.target_expression))
        frame = to_frame(batch.select(needed))
        values = to_arrow(pa.array(evaluate(request.target_expression, frame), from_pandas=True))
        if isinstance(values, pa.ChunkedArray):
            values = values.combine_chunks()
    good = values.is_valid().to_numpy(zero_copy_only=False)
    if pa.types.is_floating(values.type):
        finite = pc.fill_null(pc.is_finite(values), False)
        good = good & finite.to_numpy(zero_copy_only=False)
    return values, good


def _times(column: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    """A sortable integer per row; rows without a time come first."""
    least = np.iinfo(np.int64).min
    if pa.types.is_timestamp(column.type) or pa.types.is_integer(column.type):
        times: np.ndarray[Any, np.dtype[np.int64]] = (
            column.cast(pa.int64()).fill_null(least).to_numpy(zero_copy_only=False)
        )
        return times
    if pa.types.is_floating(column.type):
        values = column.fill_null(float("nan")).to_numpy(zero_copy_only=False)
        # The bits of floats, seen as integers, sort as the floats do once negatives are flipped.
        bits = (values + 0.0).view(np.int64)
        ordered = np.where(bits < 0, bits ^ np.int64(np.iinfo(np.int64).max), bits)
        return np.where(np.isnan(values), least, ordered)
    raise SourceError(
        "PREPARE-TIME",
        "time",
        "rows are ordered by a timestamp or a number",
        f"the column is {column.type}",
        "Name another column, or fix its type in the schema file",
    )
