"""One span's snapshot: made at most once per content, published in one step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import Field

from everfit.contracts.base import Digest, Frozen, canonical_json
from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.joined import Joined, Labelled
from everfit.contracts.messages.readings import BrokenRule, ColumnReading
from everfit.contracts.messages.requests import ExtractRequest
from everfit.contracts.messages.spans import RowTimes, Snapshot, Span, SpanRef
from everfit.data.sources.grouping import partitions
from everfit.data.sources.reader import conversion_digest, reading_of
from everfit.data.sources.source import SourceOfFiles
from everfit.engine.context import Context
from everfit.storage.kept import keep, recall
from everfit.storage.store import blob_key

Progress = Callable[[float], None]


class Converted(Frozen):
    """What is published per content key: a table, wherever its bytes were found."""

    table: Artifact
    rows: int
    columns: dict[str, str]
    time_min: str | None
    time_max: str | None
    found: dict[str, Any] = Field(default_factory=dict)
    """How the file is written, where the spec left it open."""
    notes: tuple[str, ...] = ()
    """What was found and what was left out, a phrase each."""
    unread: tuple[str, ...] = ()
    """Dropped columns of a type that cannot be read."""
    readings: tuple[ColumnReading, ...] = ()
    times: RowTimes | None = None
    rules: tuple[BrokenRule, ...] = ()
    """Those that do not hold for all rows."""
    joined: tuple[Joined, ...] = Field((), exclude_if=lambda joined: not joined)
    labels: Labelled | None = Field(None, exclude_if=lambda labels: labels is None)


def snapshot_file(
    request: ExtractRequest,
    source: SourceOfFiles,
    ref: SpanRef,
    context: Context,
    progress: Progress,
) -> Snapshot:
    """Snapshot one file or object.

    Raises
    ------
    SpanRefused
        If it is growing, changed, empty, truncated or not what it should be. Nothing is kept.
    """
    from everfit.steps.extract.formats import open_span
    from everfit.steps.extract.inspect_bytes import look
    from everfit.steps.extract.partitioned import with_partitions

    if ref.parts:
        from everfit.steps.extract.parts import snapshot_parts

        return snapshot_parts(request, source, ref, context, progress)
    fetched = source.fetch(ref, context.scratch, lambda share: progress(0.5 * share))

    def converting(share: float) -> None:
        progress(fetched.share + (1 - fetched.share) * share)

    looked = look(fetched.path, ref, request.source, context.scratch)
    key = conversion_digest(
        looked.raw,
        looked.kind,
        request.source,
        request.curated,
        request.time,
        dropped=request.dropped,
        rules=request.rules,
        partitions=partitions(ref.name),
    )
    converted = find_converted(context, key)
    if converted is None:
        target = context.scratch / "snapshot.parquet"
        try:
            span = open_span(looked, ref, request.source, context.scratch)
            span = with_partitions(span, partitions(ref.name))
            table, broken = convert_file(
                span, ref, looked, request, target=target, progress=converting
            )
            fetched.recheck()
            converted = publish(
                context,
                key,
                table,
                target,
                found=span.found,
                notes=tuple(span.notes),
                unread=span.unread,
                told=span.told,
                broken=broken,
            )
        finally:
            target.unlink(missing_ok=True)
    else:
        fetched.recheck()
    progress(1.0)
    return as_snapshot(
        ref,
        converted,
        request,
        {**fetched.origin, "kind": looked.kind, "raw_sha256": looked.raw, "raw_bytes": looked.size},
    )


def convert_file(
    span: Any,
    ref: SpanRef,
    looked: Any,
    request: ExtractRequest,
    *,
    target: Path,
    progress: Progress,
) -> tuple[Any, tuple[BrokenRule, ...]]:
    """Write what ``open_span`` opened as a typed Parquet table to ``target``.

    Returns ``parquet_write.Written``, and the rules that do not hold for all rows.
    """
    from everfit.steps.extract.inspect_bytes import no_rows
    from everfit.steps.extract.parquet_write import write_parquet
    from everfit.steps.extract.row_filter import Selection, no_row_kept

    span.restrict(request.source.columns, request.dropped)
    selection = Selection(ref, request, span.columns)
    seen = 0

    def make(schema: Any, batches: Iterator[Any]) -> Any:
        nonlocal seen
        seen = 0
        selection.begin()

        def kept() -> Iterator[Any]:
            nonlocal seen
            for batch in batches:
                seen += batch.num_rows
                yield selection.apply(batch)

        import pyarrow as pa

        keep = pa.schema([schema.field(name) for name in selection.kept])
        return write_parquet(kept(), keep, target, request.time)

    reading = reading_of(request.source, request.curated)
    written = span.convert(selection.read, reading, make, progress)
    if written.rows == 0:
        raise no_row_kept(ref, seen, selection.broken) or no_rows(ref, seen, looked.kind)
    return written, selection.broken


def find_converted(context: Context, key: Digest) -> Converted | None:
    """The snapshot of that content key, where it is in the store."""
    document = recall("snapshot", key, context).document
    if document is None:
        return None
    converted = Converted.model_validate_json(document)
    return converted if context.store.renew(blob_key(converted.table.digest)) else None


def publish(
    context: Context,
    key: Digest,
    written: Any,
    target: Path,
    *,
    found: dict[str, Any] | None = None,
    notes: tuple[str, ...] = (),
    unread: tuple[str, ...] = (),
    told: tuple[ColumnReading, ...] = (),
    broken: tuple[BrokenRule, ...] = (),
    joined: tuple[Joined, ...] = (),
    labels: Labelled | None = None,
) -> Converted:
    """Store the table, then commit it under its content key; the first one counts."""
    converted = Converted(
        table=context.store.put("snapshot.parquet", target),
        rows=written.rows,
        columns=written.columns,
        time_min=written.time_min,
        time_max=written.time_max,
        found=found or {},
        notes=notes,
        unread=unread,
        readings=told,
        rules=broken,
        times=written.times,
        joined=joined,
        labels=labels,
    )
    document = canonical_json(converted)
    kept = keep("snapshot", key, document, context)
    return converted if kept == document else Converted.model_validate_json(kept)


def as_snapshot(
    ref: SpanRef, converted: Converted, request: ExtractRequest, origin: dict[str, Any]
) -> Snapshot:
    """A converted table as the snapshot of the span it was found in."""
    source = request.source
    reader: dict[str, Any] = {"types": converted.columns}
    if origin["kind"].startswith("csv"):
        reader["csv"] = source.csv.model_dump(mode="json") | converted.found
    if source.columns is not None:
        reader["columns"] = list(source.columns)
    if source.where is not None:
        reader["where"] = source.where
    if request.rules:
        reader["rules"] = dict(request.rules)
    if source.times:
        reader["times"] = dict(source.times)
    if source.timezone is not None:
        reader["timezone"] = source.timezone
    return Snapshot(
        span=Span(
            name=ref.name,
            digest=converted.table.digest,
            rows=converted.rows,
            size=converted.table.size,
            time_min=converted.time_min,
            time_max=converted.time_max,
            period_start=ref.period_start,
            period_end=ref.period_end,
        ),
        fingerprint=ref.fingerprint,
        provenance={**origin, "reader": reader},
        notes=converted.notes,
        unread=converted.unread,
        readings=converted.readings,
        rules=converted.rules,
        times=converted.times,
    )
