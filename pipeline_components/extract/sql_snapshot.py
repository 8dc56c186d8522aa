"""Snapshot of one query window: rows in fixed-size batches, types that hold for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from pipeline_components.context import Context
from pipeline_components.contracts.requests import ExtractRequest
from pipeline_components.contracts.spans import Snapshot, SpanRef
from pipeline_components.source.reader import conversion_digest, schema_types
from pipeline_components.source.refused import SpanRefused, changed
from pipeline_components.source.sql import connect
from pipeline_components.store import digest_file
from pipeline_components.table.column_types import ARROW, Narrowing, cast, normal_type

from .inspect_bytes import no_rows
from .parquet_write import write_parquet
from .row_filter import Selection
from .snapshot import as_snapshot, find_converted, publish


def snapshot_window(
    request: ExtractRequest, ref: SpanRef, context: Context, progress: Callable[[float], None]
) -> Snapshot:
    """Read a window once into a spool of typed batches, then write them by their common types.

    Raises
    ------
    SpanRefused
        If rows came or went since the window was listed, or a column is of no usable type.
    """
    spool = context.scratch / "rows.arrow"
    target = context.scratch / "snapshot.parquet"
    try:
        with connect(request.source) as database:
            names, batches = database.rows(ref)
            total = _listed_rows(ref)
            with spool.open("wb") as file:
                kept = _Spool(file, ref, names, texts_may_be_times=database.dialect == "sqlite")
                for batch in batches:
                    kept.add(batch)
                    progress(0.8 * min(kept.rows / max(total, 1), 1.0))
            digest = digest_file(spool)
            if database.evidence(ref) != ref.fingerprint or kept.rows != total:
                raise changed(ref, f"{total} rows were listed, {kept.rows} were read")
        selection = Selection(ref, request.source, request.curated, names)
        types = kept.types(schema_types(request.curated))
        key = conversion_digest(digest, "sql", request.source, request.curated, request.time)
        converted = find_converted(context, key)
        if converted is None:
            keep = pa.schema([(name, types[name]) for name in selection.kept])
            rows = (selection.apply(batch) for batch in kept.read(types))
            written = write_parquet(rows, keep, target, request.time)
            if written.rows == 0:
                raise no_rows(ref, kept.rows, "sql")
            converted = publish(context, key, written, target)
    finally:
        spool.unlink(missing_ok=True)
        target.unlink(missing_ok=True)
    source = request.source
    return as_snapshot(
        ref, converted, request,
        {
            "kind": "sql",
            "connection": source.connection,
            "query": source.query,
            "watermark": source.watermark,
            "window": [ref.period_start, ref.period_end],
            "raw_sha256": digest,
            "raw_rows": kept.rows,
        },
    )  # fmt: skip


class _Spool:
    """Batches on disk, each with the types its own values have."""

    def __init__(
        self, file: IO[bytes], ref: SpanRef, names: list[str], texts_may_be_times: bool
    ) -> None:
        self._file, self._path, self._ref, self._names = file, Path(file.name), ref, names
        self._kinds: dict[str, set[str]] = {name: set() for name in names}
        self._times = {name: Narrowing(Narrowing.TIMES) for name in names}
        self._texts_may_be_times = texts_may_be_times
        self.rows = 0

    def add(self, rows: list[Any]) -> None:
        """Write one batch."""
        arrays = []
        for position, name in enumerate(self._names):
            array = self._array(name, [row[position] for row in rows])
            if array.null_count < len(array):
                self._kinds[name].add(str(array.type))
                if pa.types.is_string(array.type):
                    self._times[name].see(array)
            arrays.append(array)
        batch = pa.RecordBatch.from_arrays(arrays, names=self._names)
        with pa.ipc.new_stream(self._file, batch.schema) as writer:
            writer.write_batch(batch)
        self.rows += len(rows)

    def types(self, wanted: dict[str, str]) -> dict[str, Any]:
        """The type of each column that holds all of its values; the wanted one where it does."""
        found = {name: self._common(name) for name in self._names}
        for name in self._names:
            if name in wanted and ARROW[wanted[name]] != found[name]:
                kind = ARROW[wanted[name]]
                try:
                    for batch in self._raw():
                        cast(batch.column(name), kind)
                except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                    continue
                found[name] = kind
        return found

    def read(self, types: dict[str, Any]) -> Iterator[Any]:
        """The batches, cast to ``types``."""
        schema = pa.schema([(name, types[name]) for name in self._names])
        for batch in self._raw():
            columns = [cast(batch.column(name), types[name]) for name in self._names]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    def _raw(self) -> Iterator[Any]:
        size = self._path.stat().st_size
        with pa.OSFile(str(self._path), "rb") as file:
            while file.tell() < size:
                yield from pa.ipc.open_stream(file)

    def _common(self, name: str) -> Any:
        kinds = self._kinds[name]
        if not kinds:
            return pa.float64()
        if kinds == {"string"} and self._texts_may_be_times:
            time = self._times[name].found
            return pa.timestamp("us") if pa.types.is_timestamp(time) else pa.string()
        if len(kinds) == 1:
            return next(kind for kind in ARROW.values() if str(kind) == next(iter(kinds)))
        return pa.float64() if kinds <= {"int64", "double", "bool"} else pa.string()

    def _array(self, name: str, values: list[Any]) -> Any:
        try:
            array = pa.array(values)
            kind = normal_type(array.type)
            if kind is not None:
                return cast(array, kind)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
            pass
        plain = [_plain(value) for value in values]
        if any(isinstance(value, bytes | list | dict) for value in plain):
            kind = next(type(v).__name__ for v in plain if isinstance(v, bytes | list | dict))
            raise SpanRefused(
                "SPAN-COLUMN-TYPE", self._ref,
                "a column must hold numbers, texts, booleans or times", f"{name!r} holds {kind}",
                "Cast it in the query, or name the other columns in source.columns",
            )  # fmt: skip
        try:
            return cast(pa.array(plain), normal_type(pa.array(plain).type) or pa.string())
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            return pa.array([None if v is None else str(v) for v in plain], pa.string())


def _plain(value: Any) -> Any:
    """A database's value as one Arrow has a type for."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**63:
        return float(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    if value is None or isinstance(value, bool | int | float | str | bytes | list | dict):
        return value
    return bytes(value) if isinstance(value, memoryview) else str(value)


def _listed_rows(ref: SpanRef) -> int:
    return int(ref.fingerprint.partition(" rows=")[2].partition(" ")[0] or 0)
