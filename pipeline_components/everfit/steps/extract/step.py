"""Extract: snapshots every span it is named, refuses the bad ones, goes on with the rest."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from everfit.contracts.base import Digest
from everfit.contracts.errors import SourceError, Unavailable, shortlist
from everfit.contracts.messages.joined import Joined, joined_text, labelled_text
from everfit.contracts.messages.monitoring import WatchResult
from everfit.contracts.messages.planning import PlanResult
from everfit.contracts.messages.requests import ExtractRequest, ExtractResult
from everfit.contracts.messages.spans import Refusal, Snapshot, SpanRef
from everfit.contracts.messages.steps import News, Order
from everfit.contracts.messages.summaries import ExtractSummary
from everfit.contracts.spec.row_rules import columns_of_rules
from everfit.contracts.spec.source import SourceSpec
from everfit.data.sources import Source, SourceOfFiles, SourceOfRows, SpanRefused, open_source
from everfit.data.sources.beside import LABELS, table_name
from everfit.data.sources.prediction_log import as_source
from everfit.data.sources.reader import reader_digest
from everfit.data.sources.span_request import extract_request, source_of_table
from everfit.engine.context import Context
from everfit.engine.step import Step, StepReport
from everfit.engine.upstream import Upstream
from everfit.storage.ledger.records import SpanRecord
from everfit.storage.store import blob_key

log = logging.getLogger(__name__)


class Extract(Step[ExtractRequest, ExtractResult]):
    """Snapshot every span it is named; one that cannot be read stops none of the others."""

    name = "extract"
    result_type = ExtractResult
    cached = False

    def request(self, order: Order, upstream: Upstream, _context: Context) -> ExtractRequest:
        """The spans plan named, or those watch named; oldest first."""
        spec = order.pipeline
        logged: tuple[SpanRef, ...] = ()
        if upstream.has("watch"):
            watched = upstream.one("watch", WatchResult)
            request = extract_request(spec, watched.spans, watched.tables)
            logged = watched.predictions
        else:
            plan = upstream.one("plan", PlanResult)
            request = extract_request(spec, (*plan.window, *plan.holdout), plan.tables)
        log = spec.monitor.predictions if logged else None
        return request.model_copy(update={"log": log, "logged": logged})

    def run(self, request: ExtractRequest, context: Context) -> ExtractResult:
        """Snapshot each span, or say why not."""
        if request.join or request.labels:
            result = _read_joined(request, context)
        else:
            snapshots, refused = _read(request, context)
            result = ExtractResult(snapshots=snapshots, refused=refused)
        logged: tuple[Snapshot, ...] = ()
        if (logs := _of_log(request)) is not None:
            logged, refused_logs = _read(logs, context)
            refused = (*result.refused, *refused_logs)
            result = result.model_copy(update={"refused": refused, "logged": logged})
        return result

    def snapshot(
        self,
        request: ExtractRequest,
        source: Source,
        ref: SpanRef,
        context: Context,
        progress: Callable[[float], None],
    ) -> Snapshot:
        """Snapshot one span of a source that is open, for a step that reads spans of its own.

        Raises
        ------
        SpanRefused
            If it cannot be read.
        """
        return _maker(request, source, context)(ref, progress)

    def record(
        self, request: ExtractRequest, result: ExtractResult, context: Context, order: Order
    ) -> None:
        """Record every span that was read or refused for good.

        Raises
        ------
        SourceError
            If a training needs spans, and not one could be read.
        """
        if result.apart:
            _record(_apart(request), result.apart, (), context)
        for table, snapshots in result.tables.items():
            _record(_of_table(request, table), snapshots, (), context)
        _record(request, result.snapshots, _among(result.refused, request.spans), context)
        if (logs := _of_log(request)) is not None:
            _record(logs, result.logged, _among(result.refused, logs.spans), context)
        if not result.snapshots and "watch" not in order.upstream:
            lines = [refusal.message for refusal in result.refused]
            more = f" (and {len(lines) - 3} more)" if len(lines) > 3 else ""
            raise SourceError(
                "EXTRACT-NOTHING",
                request.pipeline,
                "at least one span must be readable",
                f"{len(lines)} of {len(lines)} refused: {' | '.join(lines[:3])}{more}",
            )

    def report(self, result: ExtractResult, _context: Context) -> StepReport:
        """Counts."""
        summary = ExtractSummary(
            spans=len(result.snapshots),
            rows=sum(snapshot.span.rows for snapshot in result.snapshots),
            bytes=sum(snapshot.span.size for snapshot in result.snapshots),
            refused=len(result.refused),
            first_refusal=result.refused[0].message if result.refused else "",
            notes=(
                *_notes(result.snapshots),
                *joined_notes(result.snapshots),
                *_without_rows(result),
            ),
            logged_predictions=sum(log.span.rows for log in result.logged) or None,
        )
        return StepReport(summary=summary, news=_news(result))


def _notes(snapshots: Sequence[Snapshot]) -> tuple[str, ...]:
    """What was found in the spans that were read, each phrase once with the spans it is of."""
    spans: dict[str, list[str]] = {}
    for snapshot in snapshots:
        for note in snapshot.notes:
            spans.setdefault(note, []).append(snapshot.span.name)
    return tuple(f"{shortlist(names, most=3)}: {note}" for note, names in spans.items())


def joined_notes(snapshots: Sequence[Snapshot]) -> tuple[str, ...]:
    """What was joined, a sentence for each table over all spans."""
    tables: dict[str, list[Joined]] = {}
    for snapshot in snapshots:
        for place, one in enumerate(snapshot.joined):
            tables.setdefault(f"join.{place} ({one.table})", []).append(one)
    notes = [f"{table}: {joined_text(found)}" for table, found in tables.items()]
    if labels := [one.labels for one in snapshots if one.labels is not None]:
        notes.append(f"labels: {labelled_text(labels)}")
    return tuple(notes)


def _without_rows(result: ExtractResult) -> tuple[str, ...]:
    """Labels that are of no row that was read; of no span that was read before nothing is said."""
    entries = sum(one.span.rows for one in result.tables.get(LABELS, ()))
    used = sum(one.labels.entries for one in result.snapshots if one.labels is not None)
    if entries <= used:
        return ()
    return (f"labels: {entries - used:,} of {entries:,} are of no row of these spans",)


def _news(result: ExtractResult) -> tuple[News, ...]:
    """The spans refused for good, in one piece of news: there may be many."""
    refused = [refusal for refusal in result.refused if not refusal.retry]
    if not refused:
        return ()
    names = shortlist((refusal.name for refusal in refused), most=3)
    were = "was" if len(refused) == 1 else "were"
    return (News(kind="quarantined", what=f"{names} {were} refused", why=refused[0].message[:500]),)


def _of_log(request: ExtractRequest) -> ExtractRequest | None:
    """The same for the logged predictions, which are a source of their own."""
    if request.log is None or not request.logged:
        return None
    return ExtractRequest(
        pipeline=request.pipeline,
        source=as_source(request.log),
        curated=None,
        time=request.log.time,
        spans=request.logged,
    )


def _among(refused: Sequence[Refusal], spans: Sequence[SpanRef]) -> list[Refusal]:
    named = {(ref.name, ref.fingerprint) for ref in spans}
    return [refusal for refusal in refused if (refusal.name, refusal.fingerprint) in named]


def _read(
    request: ExtractRequest, context: Context
) -> tuple[tuple[Snapshot, ...], tuple[Refusal, ...]]:
    known = _known(request, context)
    source = open_source(_with_columns_of_rules(request), context.settings)
    make = _maker(request, source, context)
    snapshots: list[Snapshot] = []
    refused: list[Refusal] = []
    whole = sum(ref.size or 1 for ref in request.spans)
    done = 0
    for ref in request.spans:
        before, size = done, ref.size or 1

        def report_share(share: float, before: int = before, size: int = size) -> None:
            context.progress.update("reading spans", before + share * size, whole)

        found = _found(known.get((ref.name, ref.fingerprint)), ref, context)
        if found is not None:
            snapshots.append(found)
        else:
            try:
                snapshots.append(make(ref, report_share))
            except SpanRefused as refusal:
                log.warning("%s", refusal.line)
                refused.append(refusal.refusal())
        done += size
        context.progress.update("reading spans", done, whole)
    return tuple(snapshots), tuple(refused)


def _read_joined(request: ExtractRequest, context: Context) -> ExtractResult:
    """The spans with the columns of the tables beside them; those that are known are not read."""
    known = _known(request, context)
    found = {}
    for ref in request.spans:
        snapshot = _found(known.get((ref.name, ref.fingerprint)), ref, context)
        if snapshot is not None:
            found[ref.name] = snapshot
    missing = [ref for ref in request.spans if ref.name not in found]
    if not missing:
        return ExtractResult(snapshots=tuple(found.values()), refused=())
    tables = {table: _read_table(request, table, context) for table in request.tables}
    apart, refused = _read(_apart(request, missing), context)
    joined_as = {ref.name: ref for ref in missing}
    refusals = [
        one.model_copy(update={"fingerprint": joined_as[one.name].fingerprint}) for one in refused
    ]
    from everfit.steps.extract.joined import Joiner

    joiner = Joiner(request, tables, context)
    for done, one in enumerate(apart):
        ref = joined_as[one.span.name]
        context.progress.update("joining tables", done, len(apart))
        try:
            found[ref.name] = joiner.snapshot(ref, one)
        except SpanRefused as refusal:
            log.warning("%s", refusal.line)
            refusals.append(refusal.refusal())
    snapshots = tuple(found[ref.name] for ref in request.spans if ref.name in found)
    return ExtractResult(snapshots=snapshots, refused=tuple(refusals), apart=apart, tables=tables)


def _read_table(request: ExtractRequest, table: str, context: Context) -> tuple[Snapshot, ...]:
    """All spans of a table: one that is missing would be joined as if it were empty.

    Raises
    ------
    SourceError
        If one cannot be read.
    Unavailable
        If the next look may succeed.
    """
    snapshots, refused = _read(_of_table(request, table), context)
    for one in refused:
        raise (Unavailable if one.retry else SourceError)(
            "JOIN-TABLE",
            table,
            "every span of a table that is joined can be read",
            one.message.rstrip("."),
            None if one.retry else f"Correct it, or {table}.source",
        )
    return snapshots


def _apart(request: ExtractRequest, spans: Sequence[SpanRef] = ()) -> ExtractRequest:
    """The same for the source alone."""
    return request.model_copy(
        update={
            "join": (),
            "labels": None,
            "row_by_row": False,
            "tables": {},
            "spans": tuple(ref.apart for ref in spans),
        }
    )


def _of_table(request: ExtractRequest, table: str) -> ExtractRequest:
    """The same for a table that is joined, which is a source of its own."""
    if table == LABELS and request.labels is not None:
        join = request.labels.as_join
    else:
        join = next(one for at, one in enumerate(request.join) if table_name(at) == table)
    return ExtractRequest(
        pipeline=request.pipeline,
        source=source_of_table(join),
        curated=None,
        time=join.as_of,
        spans=request.tables[table],
    )


def _known(request: ExtractRequest, context: Context) -> dict[tuple[str, str], SpanRecord]:
    """What the ledger knows of spans as the request reads them."""
    reader = _reader(request)
    return {
        (record.name, record.fingerprint): record
        for record in context.ledger.spans(request.pipeline)
        if record.reader == reader
    }


def _record(
    request: ExtractRequest,
    snapshots: Sequence[Snapshot],
    refused: Sequence[Refusal],
    context: Context,
) -> None:
    reader = _reader(request)
    known = {
        (record.name, record.fingerprint, record.digest)
        for record in context.ledger.spans(request.pipeline)
        if record.reader == reader
    }
    for snapshot in snapshots:
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
    for refusal in refused:
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


def _reader(request: ExtractRequest) -> Digest:
    return reader_digest(
        request.source,
        request.curated,
        request.time,
        request.dropped,
        request.rules,
        join=request.join,
        labels=request.labels,
        row_by_row=request.row_by_row,
    )


def _found(record: SpanRecord | None, ref: SpanRef, context: Context) -> Snapshot | None:
    """What the ledger knows of a span, as long as the store still holds its table."""
    if record is None or record.snapshot is None or record.digest is None:
        return None
    if not context.store.renew(blob_key(record.digest)):
        return None
    snapshot = Snapshot.model_validate(record.snapshot)
    period = {"period_start": ref.period_start, "period_end": ref.period_end}
    return snapshot.model_copy(update={"span": snapshot.span.model_copy(update=period)})


def _maker(
    request: ExtractRequest, source: Source, context: Context
) -> Callable[[SpanRef, Callable[[float], None]], Snapshot]:
    if isinstance(source, SourceOfRows):
        from everfit.steps.extract.rows_snapshot import snapshot_rows

        return lambda ref, progress: snapshot_rows(request, source, ref, context, progress)
    assert isinstance(source, SourceOfFiles)
    from everfit.steps.extract.snapshot import snapshot_file

    return lambda ref, progress: snapshot_file(request, source, ref, context, progress)


def _with_columns_of_rules(request: ExtractRequest) -> SourceSpec:
    """The source, asked also for the columns that only the rules read."""
    source = request.source
    if source.columns is None:
        return source
    more = sorted(columns_of_rules(request.rules) - set(source.columns))
    return source.model_copy(update={"columns": (*source.columns, *more)}) if more else source
