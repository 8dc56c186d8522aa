"""Extract's door: snapshots every span it is named, refuses the bad ones, goes on with the rest."""

from __future__ import annotations

import logging
from collections.abc import Callable

from pipeline_components.context import Context
from pipeline_components.contracts.base import Digest
from pipeline_components.contracts.errors import SourceError
from pipeline_components.contracts.planning import PlanResult
from pipeline_components.contracts.requests import (
    ExtractRequest,
    ExtractResult,
)
from pipeline_components.contracts.spans import Refusal, Snapshot, SpanRef
from pipeline_components.contracts.steps import Order
from pipeline_components.door import Telling, Upstream
from pipeline_components.ledger.records import SpanRecord
from pipeline_components.source import SpanRefused, open_source
from pipeline_components.source.reader import reader_digest
from pipeline_components.store import blob_key

log = logging.getLogger(__name__)

RESULT = ExtractResult
CACHED = False


def request(order: Order, upstream: Upstream, context: Context) -> ExtractRequest:  # noqa: ARG001
    """The spans plan named, oldest first."""
    plan = upstream.one("plan", PlanResult)
    return ExtractRequest(
        pipeline=order.pipeline.name,
        source=order.pipeline.source,
        curated=order.pipeline.curated,
        time=order.pipeline.time,
        spans=(*plan.window, *plan.holdout),
    )


def run(request: ExtractRequest, context: Context) -> ExtractResult:
    """Snapshot each span, or say why not."""
    known = {
        (record.name, record.fingerprint): record
        for record in context.ledger.spans(request.pipeline)
        if record.reader == _reader(request)
    }
    make = _maker(request, context)
    snapshots: list[Snapshot] = []
    refused: list[Refusal] = []
    whole = sum(ref.size or 1 for ref in request.spans)
    done = 0
    for ref in request.spans:
        before, size = done, ref.size or 1

        def tell_share(share: float, before: int = before, size: int = size) -> None:
            context.progress.update("reading spans", before + share * size, whole)

        found = _found(known.get((ref.name, ref.fingerprint)), ref, context)
        if found is not None:
            snapshots.append(found)
        else:
            try:
                snapshots.append(make(ref, tell_share))
            except SpanRefused as refusal:
                log.warning("%s", refusal.line)
                refused.append(refusal.refusal())
        done += size
        context.progress.update("reading spans", done, whole)
    return ExtractResult(snapshots=tuple(snapshots), refused=tuple(refused))


def settle(request: ExtractRequest, result: ExtractResult, context: Context, order: Order) -> None:  # noqa: ARG001
    """Record every span that was read or refused for good.

    Raises
    ------
    SourceError
        If not one span could be read.
    """
    reader = _reader(request)
    known = {
        (record.name, record.fingerprint, record.digest)
        for record in context.ledger.spans(request.pipeline)
        if record.reader == reader
    }
    for snapshot in result.snapshots:
        span = snapshot.span
        if (span.name, snapshot.fingerprint, span.digest) not in known:
            context.ledger.record_span(
                request.pipeline,
                SpanRecord(
                    name=span.name,
                    fingerprint=snapshot.fingerprint,
                    reader=reader,
                    digest=span.digest,
                    snapshot=snapshot.model_dump(mode="json"),
                ),
            )
    for refusal in result.refused:
        if not refusal.retry and (refusal.name, refusal.fingerprint, None) not in known:
            context.ledger.record_span(
                request.pipeline,
                SpanRecord(
                    name=refusal.name,
                    fingerprint=refusal.fingerprint,
                    reader=reader,
                    digest=None,
                    snapshot=None,
                    code=refusal.code,
                    message=refusal.message,
                ),
            )
    if not result.snapshots:
        lines = [refusal.message for refusal in result.refused]
        more = f" (and {len(lines) - 3} more)" if len(lines) > 3 else ""
        raise SourceError(
            "EXTRACT-NOTHING",
            request.pipeline,
            "at least one span must be readable",
            f"{len(lines)} of {len(lines)} refused: {' | '.join(lines[:3])}{more}",
        )


def tell(result: ExtractResult, context: Context) -> Telling:  # noqa: ARG001
    """Counts."""
    summary: dict[str, object] = {
        "spans": len(result.snapshots),
        "rows": sum(snapshot.span.rows for snapshot in result.snapshots),
        "refused": len(result.refused),
        "bytes": sum(snapshot.span.size for snapshot in result.snapshots),
    }
    if result.refused:
        summary["first_refusal"] = result.refused[0].message
    return Telling(summary=summary)


def _reader(request: ExtractRequest) -> Digest:
    return reader_digest(request.source, request.curated, request.time)


def _found(record: SpanRecord | None, ref: SpanRef, context: Context) -> Snapshot | None:
    """What the ledger knows of a span, as long as the store still holds its table."""
    if record is None or record.snapshot is None or record.digest is None:
        return None
    if not context.store.exists(blob_key(record.digest)):
        return None
    snapshot = Snapshot.model_validate(record.snapshot)
    period = {"period_start": ref.period_start, "period_end": ref.period_end}
    return snapshot.model_copy(update={"span": snapshot.span.model_copy(update=period)})


def _maker(
    request: ExtractRequest, context: Context
) -> Callable[[SpanRef, Callable[[float], None]], Snapshot]:
    if request.source.is_sql:
        from .sql_snapshot import snapshot_window

        return lambda ref, progress: snapshot_window(request, ref, context, progress)
    from .snapshot import snapshot_file

    source = open_source(request.source, context.settings)
    return lambda ref, progress: snapshot_file(request, source, ref, context, progress)
