"""Snapshot of rows that a source gives: in batches, with types that hold for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from everfit.contracts.messages.requests import ExtractRequest
from everfit.contracts.messages.spans import Snapshot, SpanRef
from everfit.data.sources.reader import Reading, conversion_digest, reading_of
from everfit.data.sources.refused import SpanRefused, changed
from everfit.data.sources.source import SourceOfRows
from everfit.data.tables.column_types import ARROW, Narrowing, cast, normal_type
from everfit.engine.context import Context
from everfit.steps.extract.given_times import GivenTimes, beyond_64_bits
from everfit.steps.extract.inspect_bytes import no_rows
from everfit.steps.extract.parquet_write import write_parquet
from everfit.steps.extract.row_filter import Selection, no_row_kept
from everfit.steps.extract.snapshot import as_snapshot, find_converted, publish
from everfit.storage.store import digest_file


def snapshot_rows(
    request: ExtractRequest,
    source: SourceOfRows,
    ref: SpanRef,
    context: Context,
    progress: Callable[[float], None],
) -> Snapshot:
    """Read a span once into a spool of typed batches, then write them by their common types.

    Raises
    ------
    SpanRefused
        If rows came or went since the span was listed, or a column is of no usable type.
    """
    spool = context.scratch / "rows.arrow"
    target = context.scratch / "snapshot.parquet"
    try:
        with source.fetch_rows(ref) as coming:
            names, total = coming.columns, coming.listed
            with spool.open("wb") as file:
                kept = _Spool(file, ref, names, coming.texts_may_be_times)
                for batch in coming.batches:
                    kept.add(batch)
                    progress(0.8 * min(kept.rows / max(total, 1), 1.0))
            digest = digest_file(spool)
            if not coming.same() or kept.rows != total:
                raise changed(ref, f"{total} rows were listed, {kept.rows} were read")
        selection = Selection(ref, request, names)
        reading = reading_of(request.source, request.curated)
        times = GivenTimes(reading)
        types = kept.types(reading)
        key = conversion_digest(
            digest,
            source.kind,
            request.source,
            request.curated,
            request.time,
            rules=request.rules,
        )
        converted = find_converted(context, key)
        if converted is None:
            keep = pa.schema([(name, types[name]) for name in selection.kept])
            rows = (selection.apply(batch) for batch in kept.read(types, times))
            written = write_parquet(rows, keep, target, request.time)
            if written.rows == 0:
                raise no_row_kept(ref, kept.rows, selection.broken) or no_rows(
                    ref, kept.rows, source.kind
                )
            told = (
                *times.told(selection.kept),
                *(beyond_64_bits(n, kept.rows) for n in selection.kept if n in kept.exact),
            )
            converted = publish(context, key, written, target, told=told, broken=selection.broken)
    finally:
        spool.unlink(missing_ok=True)
        target.unlink(missing_ok=True)
    return as_snapshot(
        ref,
        converted,
        request,
        {**coming.origin, "kind": source.kind, "raw_sha256": digest, "raw_rows": kept.rows},
    )


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
        self.exact: set[str] = set()
        """Columns with whole numbers that do not fit 64 bits."""

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

    def types(self, reading: Reading) -> dict[str, Any]:
        """The type of each column that holds all of its values; the wanted one where it does."""
        wanted = reading.types
        found = {name: self._common(name) for name in self._names}
        for name in self._names:
            if name in reading.times:
                found[name] = pa.timestamp("us")
            elif name in wanted and ARROW[wanted[name]] != found[name]:
                kind = ARROW[wanted[name]]
                try:
                    for batch in self._raw():
                        cast(batch.column(name), kind)
                except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                    continue
                found[name] = kind
        return found

    def read(self, types: dict[str, Any], times: GivenTimes) -> Iterator[Any]:
        """The batches, cast to ``types``."""
        schema = pa.schema([(name, types[name]) for name in self._names])
        for batch in self._raw():
            columns = [times.convert(name, batch.column(name), types[name]) for name in self._names]
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
        if any(_is_beyond(value) for value in values):
            self.exact.add(name)
            return pa.array([None if v is None else str(v) for v in values], pa.string())
        plain = [_plain(value) for value in values]
        if any(isinstance(value, bytes | list | dict) for value in plain):
            kind = next(type(v).__name__ for v in plain if isinstance(v, bytes | list | dict))
            raise SpanRefused(
                "SPAN-COLUMN-TYPE",
                self._ref,
                "a column must hold numbers, texts, booleans or times",
                f"{name!r} holds {kind}",
                "Cast it in the query, or name the other columns in source.columns",
            )
        try:
            return cast(pa.array(plain), normal_type(pa.array(plain).type) or pa.string())
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            return pa.array([None if v is None else str(v) for v in plain], pa.string())


def _is_beyond(value: Any) -> bool:
    """Whether it is a whole number that does not fit 64 bits."""
    whole = isinstance(value, int) or (
        isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value()
    )
    return whole and not -(2**63) <= value < 2**63


def _plain(value: Any) -> Any:
    """A database's value as one Arrow has a type for."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    if value is None or isinstance(value, bool | int | float | str | bytes | list | dict):
        return value
    return bytes(value) if isinstance(value, memoryview) else str(value)
