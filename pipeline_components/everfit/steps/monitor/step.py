"""Monitor: spans and champion in; evaluations, the small JSON and the page out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Literal, TypedDict

from everfit.contracts.base import Digest, digest_of
from everfit.contracts.clock import moment
from everfit.contracts.errors import NothingToDo, RequestError
from everfit.contracts.messages.monitoring import (
    EarlierSpan,
    MonitorRequest,
    MonitorResult,
    Rise,
    SpanEvaluation,
    WatchResult,
)
from everfit.contracts.messages.planning import ChampionRef
from everfit.contracts.messages.requests import ExtractResult
from everfit.contracts.messages.spans import Snapshot, Span
from everfit.contracts.messages.steps import Order
from everfit.contracts.messages.summaries import MonitorSummary, Worse
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.engine.context import Context
from everfit.engine.step import Step, StepReport
from everfit.engine.upstream import Upstream
from everfit.ml.monitoring_key import evaluation_key, labels_due, logs_of
from everfit.steps.monitor.life import LONGEST, decay_p_values, places_in_life
from everfit.storage.ledger.records import MonitorRecord

log = logging.getLogger(__name__)


class Monitor(Step[MonitorRequest, MonitorResult]):
    """Measure drift and decay of new spans."""

    name = "monitor"
    result_type = MonitorResult
    cached = True

    def request(self, order: Order, upstream: Upstream, context: Context) -> MonitorRequest:
        """What watch named and extract read.

        Raises
        ------
        NothingToDo
            If there is no champion yet, or no span it is to be tried on could be read.
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
                why = (
                    "all are copies of older spans" if read else "none of the new spans can be read"
                )
            raise NothingToDo("MONITOR-NOTHING", spec.name, why)
        known, first_seen = _known_spans(spec.name, context)
        now = moment(watched.at)
        labelled = {
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
            labels_pending=tuple(name for name, due in labelled.items() if not due),
            rules={
                item.span.name: item.rules
                for item in extracted.snapshots
                if item.rules and item.span.name in named
            },
            earlier=watched.earlier,
            judged=watched.judged,
            tested=watched.tested,
            **_life(spec, watched.champion, spans, context),
        )

    def run(self, request: MonitorRequest, context: Context) -> MonitorResult:
        """Evaluate each span, draw the page, and see what is new."""
        from everfit.steps.monitor.evaluate_span import Evaluator
        from everfit.steps.monitor.news import news
        from everfit.steps.monitor.report.drift_json import drift_json
        from everfit.steps.monitor.report.page import monitor_page

        evaluator = Evaluator(request, context)
        evaluations = []
        for number, span in enumerate(request.spans):
            context.progress.update("monitoring", number, len(request.spans))
            evaluations.append(evaluator.evaluate(span))
            log.info(
                "%s monitor: %s: %s", request.pipeline.name, span.name, evaluations[-1].because
            )
        context.progress.update("monitoring", len(request.spans), len(request.spans))
        earlier = _earlier(request, context)
        names = {span.name for span in request.spans}
        page = monitor_page(
            request.pipeline,
            request.champion,
            evaluations,
            [evaluation for evaluation in earlier if evaluation.span.name not in names],
            evaluator.notes,
        )
        document = drift_json(request.pipeline, request.champion, evaluations, evaluator.notes)
        return MonitorResult(
            champion=request.champion.version,
            evaluations=tuple(evaluations),
            drift=context.store.put("drift.json", document),
            page=context.store.put("monitor_report.html", page),
            notes=tuple(evaluator.notes),
            news=news(request.pipeline, request.champion.version, evaluations, earlier),
        )

    def record(
        self, request: MonitorRequest, result: MonitorResult, context: Context, _order: Order
    ) -> None:
        """Record what was measured of each span; the first record of a question counts."""
        spec, champion = request.pipeline, request.champion
        document = digest_of(result)
        for evaluation in result.evaluations:
            span = evaluation.span
            labelled = span.name not in request.labels_pending
            context.ledger.record_monitoring(
                spec.name,
                MonitorRecord(
                    champion=champion.run_key,
                    version=champion.version,
                    span=span.digest,
                    name=span.name,
                    rows=span.rows,
                    asked=evaluation_key(spec, labelled, logs_of(span, request.predictions)),
                    state=evaluation.state,
                    inputs=evaluation.inputs,
                    columns=evaluation.any_column,
                    strongest=tuple(column.name for column in evaluation.columns if column.drifted),
                    rises=evaluation.rises,
                    because=evaluation.because,
                    document=document,
                    tested=evaluation.tested,
                ),
            )

    def report(self, result: MonitorResult, _context: Context) -> StepReport:
        """The newest span: what drifted, and how much worse the champion is on it."""
        last = result.evaluations[-1]
        summary = MonitorSummary(
            spans=len(result.evaluations),
            champion=result.champion,
            newest=last.span.name,
            state=last.state,
            inputs=float(f"{last.inputs:.4g}"),
            drifted=tuple(column.name for column in last.columns if column.drifted)[:5],
            rises=tuple(_worse(rise) for rise in last.rises),
            because=last.because,
        )
        return StepReport(
            summary=summary, reports={"monitor_report": result.page}, news=result.news
        )


def _worse(rise: Rise) -> Worse:
    source: Literal["measured", "estimate", "as_served"] = "measured"
    if rise.estimated:
        source = "estimate"
    elif rise.source == "logged":
        source = "as_served"
    return Worse(metric=rise.metric, worse=float(f"{rise.worse:.4g}"), source=source)


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


class _Life(TypedDict, total=False):
    places: dict[str, int]
    lived: tuple[EarlierSpan, ...]


def _life(
    spec: PipelineSpec, champion: ChampionRef, spans: Sequence[Span], context: Context
) -> _Life:
    """What the spans are tested for decay by: the champion's life so far."""
    if spec.monitor.decay_level is None:
        return {}
    records = context.ledger.monitorings(spec.name, champion.run_key)
    names = [span.name for span in spans]
    places = places_in_life([*(record.name for record in records), *names])
    first = min(places[name] for name in names) - LONGEST
    newest = {record.name: record for record in records if places[record.name] > first}
    lived = [
        EarlierSpan(place=places[name], p_values=decay_p_values(record.rises))
        for name, record in newest.items()
        if name not in names
    ]
    return {
        "places": {name: places[name] for name in names},
        "lived": tuple(sorted(lived, key=lambda one: one.place)),
    }


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
            "MONITOR-WINDOW",
            name,
            "the ledger must know the spans the champion was trained on",
            f"{len(unknown)} of {len(digests)} are not in it",
            "Train a new champion with this ledger",
        )
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
