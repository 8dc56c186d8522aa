"""A span of several files: each read as it is, then written as one table of common types."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from everfit.contracts.base import digest_of
from everfit.contracts.errors import shortlist
from everfit.contracts.messages.readings import ColumnReading
from everfit.contracts.messages.requests import ExtractRequest
from everfit.contracts.messages.spans import Snapshot, SpanRef
from everfit.contracts.spec.table_schema import ColumnType
from everfit.data.sources.grouping import partitions
from everfit.data.sources.reader import Reading, conversion_digest, reading_of
from everfit.data.sources.refused import SpanRefused
from everfit.data.sources.source import Fetched, SourceOfFiles
from everfit.data.tables.column_types import cast, common_type
from everfit.engine.context import Context
from everfit.steps.extract.formats import open_span
from everfit.steps.extract.inspect_bytes import Looked, look, no_rows
from everfit.steps.extract.parquet_read import BATCH_ROWS
from everfit.steps.extract.parquet_write import write_parquet
from everfit.steps.extract.partitioned import with_partitions
from everfit.steps.extract.row_filter import Selection, no_row_kept
from everfit.steps.extract.snapshot import as_snapshot, find_converted, publish


def snapshot_parts(
    request: ExtractRequest,
    source: SourceOfFiles,
    ref: SpanRef,
    context: Context,
    progress: Callable[[float], None],
) -> Snapshot:
    """Snapshot a span of several files.

    Raises
    ------
    SpanRefused
        If one of them cannot be read: a span is whole or it is none.
    """
    rooms = [context.scratch / f"part-{number}" for number in range(len(ref.parts))]
    target = context.scratch / "snapshot.parquet"
    try:
        parts = []
        for number, room in enumerate(rooms):
            parts.append(_bring(request, source, ref, number, room))
            progress(0.3 * (number + 1) / len(rooms))
        raw = digest_of([[part.name, looked.raw] for part, _, looked in parts])
        kinds = sorted({looked.kind for _, _, looked in parts})
        key = conversion_digest(
            raw,
            "+".join(kinds),
            request.source,
            request.curated,
            request.time,
            dropped=request.dropped,
            rules=request.rules,
        )
        converted = find_converted(context, key)
        if converted is None:
            span = _Parts(request, ref, parts, rooms)
            selection = Selection(ref, request, span.columns)
            types = span.convert(selection.read, lambda share: progress(0.3 + 0.5 * share))
            keep = pa.schema([(name, types[name]) for name in selection.kept])
            rows = (selection.apply(batch) for batch in span.batches(selection.read, types))
            written = write_parquet(rows, keep, target, request.time)
            for _, fetched, _ in parts:
                fetched.recheck()
            if written.rows == 0:
                raise no_row_kept(ref, span.rows, selection.broken) or no_rows(
                    ref, span.rows, kinds[0]
                )
            converted = publish(
                context,
                key,
                written,
                target,
                found=span.found,
                notes=tuple(span.notes),
                unread=span.unread,
                told=span.told,
                broken=selection.broken,
            )
        else:
            for _, fetched, _ in parts:
                fetched.recheck()
    finally:
        target.unlink(missing_ok=True)
        for room in rooms:
            for file in sorted(room.glob("*")):
                file.unlink()
            if room.exists():
                room.rmdir()
    progress(1.0)
    origin = {
        "uri": ref.location,
        "kind": kinds[0] if len(kinds) == 1 else "+".join(kinds),
        "raw_sha256": raw,
        "raw_bytes": sum(looked.size for _, _, looked in parts),
        "files": [{**fetched.origin, "raw_sha256": looked.raw} for _, fetched, looked in parts],
    }
    return as_snapshot(ref, converted, request, origin)


Part = tuple[SpanRef, Fetched, Looked]


def _bring(
    request: ExtractRequest, source: SourceOfFiles, ref: SpanRef, number: int, room: Path
) -> Part:
    room.mkdir(parents=True, exist_ok=True)
    part = ref.parts[number]
    single = SpanRef(
        name=part.name, fingerprint=part.fingerprint, location=part.location, size=part.size
    )
    try:
        fetched = source.fetch(single, room, lambda _: None)
        return single, fetched, look(fetched.path, single, request.source, room)
    except SpanRefused as refusal:
        raise _of_span(refusal, ref, single) from refusal


def _of_span(refusal: SpanRefused, ref: SpanRef, part: SpanRef) -> SpanRefused:
    """The refusal of a file as one of the span that it is a part of."""
    return SpanRefused(
        refusal.code,
        ref,
        refusal.must,
        f"of {part.name}: {refusal.found}",
        refusal.todo or "",
        retry=refusal.retry,
    )


class _Parts:
    """The files of a span, each converted on its own; then one table of common types."""

    def __init__(
        self, request: ExtractRequest, ref: SpanRef, parts: Sequence[Part], rooms: Sequence[Path]
    ) -> None:
        self._request, self._ref, self._rooms = request, ref, rooms
        self._names = [part.name for part, _, _ in parts]
        self._spans = []
        self._lengths: dict[int, int] = {}
        for (part, _, looked), room in zip(parts, rooms, strict=True):
            try:
                span = open_span(looked, part, request.source, room)
                span = with_partitions(span, partitions(part.name))
                span.restrict(request.source.columns, request.dropped)
            except SpanRefused as refusal:
                raise _of_span(refusal, ref, part) from refusal
            self._spans.append(span)
        self.columns = list(dict.fromkeys(name for span in self._spans for name in span.columns))

    @property
    def rows(self) -> int:
        """Rows of all files, once they are converted."""
        return sum(self._lengths.values())

    @property
    def found(self) -> dict[str, Any]:
        """How the first file is written, where the spec left it open."""
        found: dict[str, Any] = self._spans[0].found
        return found

    @property
    def unread(self) -> tuple[str, ...]:
        """Columns that are dropped and in no file of a type that can be read."""
        unread = dict.fromkeys(name for span in self._spans for name in span.unread)
        return tuple(name for name in unread if name not in self.columns)

    @property
    def told(self) -> tuple[ColumnReading, ...]:
        """What is to be told of the columns of each file."""
        return tuple(
            one.model_copy(update={"message": f"in {name}: {one.message}"})
            for name, span in zip(self._names, self._spans, strict=True)
            for one in span.told
        )

    @property
    def notes(self) -> list[str]:
        """What was found in any of the files, and which of them lack a column."""
        notes: dict[str, list[str]] = {}
        for name, span in zip(self._names, self._spans, strict=True):
            for note in span.notes:
                notes.setdefault(note, []).append(name)
            lacking = [column for column in self.columns if column not in span.columns]
            if lacking and self._request.source.columns is None:
                notes.setdefault(f"without the columns {shortlist(lacking)}", []).append(name)
        return [
            f"{len(self._names):,} files are one span",
            *(f"{shortlist(names, most=3)}: {note}" for note, names in notes.items()),
        ]

    def convert(self, columns: list[str], progress: Callable[[float], None]) -> dict[str, Any]:
        """Convert each file to Parquet of its own; the types that hold every value of all."""
        wanted = reading_of(self._request.source, self._request.curated)
        own: list[dict[str, Any]] = []
        for number in range(len(self._spans)):
            own.append(self._convert(number, columns, wanted))
            progress((number + 1) / len(self._spans))
        types = {
            name: common_type([found[name] for found in own if name in found]) for name in columns
        }
        for number, found in enumerate(own):
            # A text keeps the digits it was written with: 007 is no 7.
            retyped: dict[str, ColumnType] = {
                name: "string"
                for name, kind in found.items()
                if pa.types.is_string(types[name]) and not pa.types.is_string(kind)
            }
            if retyped:
                self._convert(number, columns, replace(wanted, types={**wanted.types, **retyped}))
        return types

    def batches(self, columns: list[str], types: dict[str, Any]) -> Iterator[Any]:
        """The rows of all files; a column that a file lacks is missing in it."""
        schema = pa.schema([(name, types[name]) for name in columns])
        for number in range(len(self._spans)):
            with pq.ParquetFile(self._table(number)) as file:
                for batch in file.iter_batches(BATCH_ROWS, use_threads=False):
                    yield pa.RecordBatch.from_arrays(
                        [_of_type(batch, field) for field in schema], schema=schema
                    )

    def _convert(self, number: int, columns: list[str], reading: Reading) -> dict[str, Any]:
        span = self._spans[number]
        there = [name for name in columns if name in span.columns] or span.columns[:1]

        def make(schema: Any, batches: Iterator[Any]) -> Any:
            write_parquet(batches, schema, self._table(number), None)
            return schema

        try:
            schema = span.convert(there, reading, make, lambda _: None)
        except SpanRefused as refusal:
            part = self._ref.parts[number]
            single = SpanRef(name=part.name, fingerprint=part.fingerprint, location=part.location)
            raise _of_span(refusal, self._ref, single) from refusal
        empty = self._without_values(number)
        return {field.name: field.type for field in schema if field.name not in empty}

    def _without_values(self, number: int) -> set[str]:
        """The columns of a file that hold no value: what type they would be of nobody knows."""
        with pq.ParquetFile(self._table(number)) as file:
            found = file.metadata
            self._lengths[number] = found.num_rows
            groups = [found.row_group(at) for at in range(found.num_row_groups)]
            return {
                name
                for at, name in enumerate(found.schema.names)
                if all(
                    group.column(at).statistics is not None
                    and group.column(at).statistics.null_count == group.num_rows
                    for group in groups
                )
            }

    def _table(self, number: int) -> Path:
        return self._rooms[number] / "typed.parquet"


def _of_type(batch: Any, field: Any) -> Any:
    """A column of a batch as the type all files share; missing where it is not there."""
    there = field.name in batch.schema.names
    column = batch.column(field.name) if there else None
    if column is None or column.null_count == len(column):
        return pa.nulls(batch.num_rows, field.type)
    return cast(column, field.type)
