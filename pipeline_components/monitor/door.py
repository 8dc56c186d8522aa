"""Monitor's door: spans and champion in; evaluations, the small JSON and the page out."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from pipeline_components.champion.asked import asked, belonging, labels_due
from pipeline_components.clock import moment
from pipeline_components.context import Context
from pipeline_components.contracts.base import Digest, digest_of
from pipeline_components.contracts.errors import NothingToDo, RequestError
from pipeline_components.contracts.monitoring import (
    MonitorRequest,
    MonitorResult,
    SpanEvaluation,
    WatchResult,
)
from pipeline_components.contracts.planning import ChampionRef
from pipeline_components.contracts.requests import ExtractResult
from pipeline_components.contracts.spans import Snapshot, Span
from pipeline_components.contracts.steps import Order
from pipeline_components.door import Telling, Upstream
from pipeline_components.ledger.records import MonitorRecord

log = logging.getLogger(__name__)

RESULT = MonitorResult
CACHED = True


def request(order: Order, upstream: Upstream, context: Context) -> MonitorRequest:
    """What watch named and extract read.

    Raises
    ------
    NothingToDo
        If there is no champion yet, or nothing of what it is to be held against could be read.
    """
    spec = order.pipeline
    watched = upstream.one("watch", WatchResult)
    extracted = upstream.one("extract", ExtractResult)
    if watched.champion is None:
        raise NothingToDo("MONITOR-NOTHING", spec.name, "there is no champion yet")
    named = set(watched.evaluate)
    read = [item.span for item in extracted.snapshots if item.span.name in named]
    spans = _without_copies(read, watched.champion, watched.past)
    if not spans:
        why = "no span is to be evaluated"
        if named:
            why = "all are copies of older spans" if read else "none of the new spans can be read"
        raise NothingToDo("MONITOR-NOTHING", spec.name, why)
    known, first_seen = _known_spans(spec.name, context)
    now = moment(watched.at)
    ripe = {
        span.name: now is None or labels_due(spec, span, first_seen.get(span.digest, ""), now)
        for span in spans
    }
    return MonitorRequest(
        pipeline=spec,
        champion=watched.champion,
        spans=spans,
        reference=_spans_of(watched.champion.window, known, spec.name),
        past=tuple(known[digest] for digest in watched.past if digest in known),
        predictions=tuple(item.span for item in extracted.logged),
        unripe=tuple(name for name, due in ripe.items() if not due),
        earlier=watched.earlier,
    )


def run(request: MonitorRequest, context: Context) -> MonitorResult:
    """Evaluate each span, draw the page, and see what is new."""
    from .drift_json import drift_json
    from .evaluate_span import Evaluator
    from .news import news
    from .page import monitor_page

    evaluator = Evaluator(request, context)
    evaluations = []
    for number, span in enumerate(request.spans):
        context.progress.update("monitoring", number, len(request.spans))
        evaluations.append(evaluator.evaluate(span))
        log.info("%s monitor: %s: %s", request.pipeline.name, span.name, evaluations[-1].because)
    context.progress.update("monitoring", len(request.spans), len(request.spans))
    earlier = _earlier(request, context)
    names = {span.name for span in request.spans}
    page = monitor_page(
        request.pipeline, request.champion, evaluations,
        [evaluation for evaluation in earlier if evaluation.span.name not in names],
        evaluator.notes,
    )  # fmt: skip
    document = drift_json(request.pipeline, request.champion, evaluations, evaluator.notes)
    return MonitorResult(
        champion=request.champion.version,
        evaluations=tuple(evaluations),
        drift=context.store.put("drift.json", document),
        page=context.store.put("monitor_report.html", page),
        notes=tuple(evaluator.notes),
        news=news(request.pipeline, request.champion.version, evaluations, earlier),
    )


def settle(request: MonitorRequest, result: MonitorResult, context: Context, order: Order) -> None:  # noqa: ARG001
    """Record what was measured of each span; the first record of a question counts."""
    spec, champion = request.pipeline, request.champion
    document = digest_of(result)
    for evaluation in result.evaluations:
        span = evaluation.span
        ripe = span.name not in request.unripe
        context.ledger.record_monitoring(
            spec.name,
            MonitorRecord(
                champion=champion.run_key,
                version=champion.version,
                span=span.digest,
                name=span.name,
                rows=span.rows,
                asked=asked(spec, ripe, belonging(span, request.predictions)),
                state=evaluation.state,
                inputs=evaluation.inputs,
                columns=evaluation.any_column,
                strongest=tuple(column.name for column in evaluation.columns if column.drifted),
                rises=evaluation.rises,
                because=evaluation.because,
                document=document,
            ),
        )


def tell(result: MonitorResult, context: Context) -> Telling:  # noqa: ARG001
    """The newest span: what drifted, and how much worse the champion is on it."""
    last = result.evaluations[-1]
    summary: dict[str, object] = {
        "spans": len(result.evaluations),
        "champion": result.champion,
        "newest": last.span.name,
        "state": last.state,
        "drifted": [column.name for column in last.columns if column.drifted][:5],
        "inputs": float(f"{last.inputs:.4g}"),
    }
    for rise in last.rises:
        mark = " (estimate)" if rise.estimated else " (as served)" * (rise.source == "logged")
        summary[f"{rise.metric}_worse{mark}"] = float(f"{rise.worse:.4g}")
    summary["because"] = last.because
    return Telling(summary=summary, reports={"monitor_report": result.page}, news=result.news)


def _without_copies(
    spans: Sequence[Span], champion: ChampionRef, past: Sequence[Digest]
) -> tuple[Span, ...]:
    """What is new in content too: a copy of an old span says nothing of the world."""
    known = {*champion.window, *champion.holdout, *past}
    kept = []
    for span in spans:
        if span.digest not in known:
            kept.append(span)
            known.add(span.digest)
    return tuple(kept)


def _known_spans(pipeline: str, context: Context) -> tuple[dict[Digest, Span], dict[Digest, str]]:
    """Digest → the span as it was first read, and when that was."""
    spans: dict[Digest, Span] = {}
    seen: dict[Digest, str] = {}
    for record in context.ledger.spans(pipeline):
        if record.digest is not None and record.digest not in spans:
            spans[record.digest] = Snapshot.model_validate(record.snapshot).span
            seen[record.digest] = record.at
    return spans, seen


def _spans_of(
    digests: tuple[Digest, ...], known: dict[Digest, Span], name: str
) -> tuple[Span, ...]:
    unknown = [digest for digest in digests if digest not in known]
    if unknown:
        raise RequestError(
            "MONITOR-WINDOW", name, "the ledger must know the spans the champion was trained on",
            f"{len(unknown)} of {len(digests)} are not in it",
            "Train a new champion with this ledger",
        )  # fmt: skip
    return tuple(known[digest] for digest in digests)


def _earlier(request: MonitorRequest, context: Context) -> list[SpanEvaluation]:
    """The evaluations the request names, in its order."""
    documents: dict[Digest, MonitorResult] = {}
    found = []
    for name, digest in request.earlier:
        if digest not in documents:
            text = context.store.get(digest)
            documents[digest] = MonitorResult.model_validate_json(text)
        found += [item for item in documents[digest].evaluations if item.span.name == name]
    return found
