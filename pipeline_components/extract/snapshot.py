"""One span's snapshot: made at most once per content, published in one step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pipeline_components.context import Context
from pipeline_components.contracts.artifacts import Artifact
from pipeline_components.contracts.base import Digest, Frozen, canonical_json
from pipeline_components.contracts.requests import ExtractRequest
from pipeline_components.contracts.spans import Snapshot, Span, SpanRef
from pipeline_components.source.listing import Source
from pipeline_components.source.reader import conversion_digest, schema_types
from pipeline_components.store import blob_key, result_key

Progress = Callable[[float], None]


class Converted(Frozen):
    """What is published per content key: a table, wherever its bytes were found."""

    table: Artifact
    rows: int
    columns: dict[str, str]
    time_min: str | None
    time_max: str | None


def snapshot_file(
    request: ExtractRequest, source: Source, ref: SpanRef, context: Context, progress: Progress
) -> Snapshot:
    """Snapshot one file or object.

    Raises
    ------
    SpanRefused
        If it is growing, changed, empty, truncated or not what it should be. Nothing is kept.
    """
    from .inspect_bytes import look

    fetched = source.fetch(ref, context.scratch, lambda share: progress(0.5 * share))

    def converting(share: float) -> None:
        progress(fetched.share + (1 - fetched.share) * share)

    looked = look(fetched.path, ref, request.source)
    key = conversion_digest(looked.raw, looked.kind, request.source, request.curated, request.time)
    converted = find_converted(context, key)
    if converted is None:
        target = context.scratch / "snapshot.parquet"
        try:
            table = convert_file(
                fetched.path, ref, looked, request, target=target, progress=converting
            )
            fetched.recheck()
            converted = publish(context, key, table, target)
        finally:
            target.unlink(missing_ok=True)
    else:
        fetched.recheck()
    progress(1.0)
    return as_snapshot(
        ref, converted, request,
        {**fetched.origin, "kind": looked.kind, "raw_sha256": looked.raw, "raw_bytes": looked.size},
    )  # fmt: skip


def convert_file(
    path: Path, ref: SpanRef, looked: Any, request: ExtractRequest, *, target: Path,
    progress: Progress,
) -> Any:  # fmt: skip
    """Write a file as a typed Parquet table to ``target``; returns ``parquet_write.Written``."""
    from .csv_read import CsvSpan
    from .inspect_bytes import no_rows
    from .parquet_read import ParquetSpan
    from .parquet_write import write_parquet
    from .row_filter import Selection

    span = (
        ParquetSpan(path, ref)
        if looked.kind == "parquet"
        else CsvSpan(path, ref, looked, request.source.csv)
    )
    selection = Selection(ref, request.source, request.curated, span.columns)
    seen = 0

    def make(schema: Any, batches: Iterator[Any]) -> Any:
        nonlocal seen
        seen = 0

        def kept() -> Iterator[Any]:
            nonlocal seen
            for batch in batches:
                seen += batch.num_rows
                yield selection.apply(batch)

        import pyarrow as pa

        keep = pa.schema([schema.field(name) for name in selection.kept])
        return write_parquet(kept(), keep, target, request.time)

    written = span.convert(selection.read, schema_types(request.curated), make, progress)
    if written.rows == 0:
        raise no_rows(ref, seen, looked.kind)
    return written


def find_converted(context: Context, key: Digest) -> Converted | None:
    """The snapshot of that content key, where it is in the store."""
    document = context.store.reuse(result_key("snapshot", key))
    if document is None:
        return None
    converted = Converted.model_validate_json(document)
    return converted if context.store.renew(blob_key(converted.table.digest)) else None


def publish(context: Context, key: Digest, written: Any, target: Path) -> Converted:
    """Store the table, then commit it under its content key; the first one counts."""
    converted = Converted(
        table=context.store.put("snapshot.parquet", target),
        rows=written.rows,
        columns=written.columns,
        time_min=written.time_min,
        time_max=written.time_max,
    )
    context.store.create(result_key("snapshot", key), canonical_json(converted))
    return find_converted(context, key) or converted


def as_snapshot(
    ref: SpanRef, converted: Converted, request: ExtractRequest, origin: dict[str, Any]
) -> Snapshot:
    """A converted table as the snapshot of the span it was found in."""
    source = request.source
    reader: dict[str, Any] = {"types": converted.columns}
    if origin["kind"].startswith("csv"):
        reader["csv"] = source.csv.model_dump(mode="json")
    if source.columns is not None:
        reader["columns"] = list(source.columns)
    if source.where is not None:
        reader["where"] = source.where
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
    )
