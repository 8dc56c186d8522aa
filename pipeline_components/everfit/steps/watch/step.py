"""Watch: reads source and ledger, and says what monitoring has to do."""

from __future__ import annotations

import logging

from everfit.champion.current import current_champion, refit_of
from everfit.contracts.base import Digest
from everfit.contracts.errors import NothingToDo, SourceError
from everfit.contracts.messages.monitoring import WatchRequest, WatchResult
from everfit.contracts.messages.steps import Order
from everfit.contracts.messages.summaries import WatchSummary
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.spec.rules import rules_digest
from everfit.data.sources import Listing, list_spans
from everfit.data.sources.beside import list_with_tables
from everfit.data.sources.listing import in_order_of_rows
from everfit.data.sources.prediction_log import as_source
from everfit.data.sources.reader import reader_digest, reader_of
from everfit.engine.context import Context
from everfit.engine.step import Step, StepReport
from everfit.engine.upstream import Upstream
from everfit.ml.fleet_level import Elsewhere
from everfit.steps.watch.due_spans import DueSpans, World

log = logging.getLogger(__name__)

WATCHED_BESIDE = 3
"""Spans on which a refit is scored beside the judged model it was made from."""


class Watch(Step[WatchRequest, WatchResult]):
    """Find out what monitoring has to do."""

    name = "watch"
    result_type = WatchResult
    cached = False

    def request(self, order: Order, _upstream: Upstream, _context: Context) -> WatchRequest:
        """The spec is all."""
        return WatchRequest(pipeline=order.pipeline)

    def run(self, request: WatchRequest, context: Context) -> WatchResult:
        """Look at source and ledger."""
        spec, ledger = request.pipeline, context.ledger
        champion = current_champion(ledger, spec.name)
        logs, log_reader = Listing(()), None
        if spec.monitor.predictions is not None:
            source = as_source(spec.monitor.predictions)
            log_reader = reader_digest(source, None, spec.monitor.predictions.time)
            logs = _logs(spec, context)
        reader = reader_of(spec)
        listed = list_with_tables(spec, context.settings, context.visible)
        records = ledger.spans(spec.name)
        world = World(
            listing=in_order_of_rows(
                listed.listing,
                [
                    (record.name, record.fingerprint, record.snapshot)
                    for record in records
                    if record.reader == reader
                ],
            ),
            records=records,
            reader=reader,
            quarantined=frozenset(ledger.quarantined(spec.name, rules_digest(spec))),
            champion=champion,
            monitored=ledger.monitorings(spec.name, champion.run_key) if champion else (),
            now=context.clock(),
            logs=logs,
            log_reader=log_reader,
            elsewhere=_elsewhere(spec, context) if champion else None,
        )
        result = DueSpans(spec, world).result()
        if listed.tables and result.spans:
            result = result.model_copy(update={"tables": listed.tables})
        if champion is not None and len(world.monitored) < WATCHED_BESIDE:
            result = result.model_copy(update={"judged": refit_of(champion, ledger, spec.name)})
        log.info("%s watch: %s", spec.name, result.because)
        for note in (*result.notes, *logs.notes):
            log.info("%s watch: %s", spec.name, note)
        return result

    def record(
        self, request: WatchRequest, result: WatchResult, _context: Context, _order: Order
    ) -> None:
        """Record nothing: what is read and measured is recorded by those who do it.

        Raises
        ------
        NothingToDo
            If nothing is to be read or evaluated.
        """
        if not result.spans:
            raise NothingToDo("WATCH-NOTHING", request.pipeline.name, result.because)

    def report(self, result: WatchResult, _context: Context) -> StepReport:
        """Counts and the reason."""
        return StepReport(
            summary=WatchSummary(
                spans=len(result.spans),
                evaluate=len(result.evaluate),
                champion=result.champion.version if result.champion else None,
                because=result.because,
            )
        )


def _elsewhere(spec: PipelineSpec, context: Context) -> Elsewhere | None:
    """What the ledger knows of other pipelines; None where each is on its own."""
    if spec.monitor.across_pipelines is None:
        return None
    newest = context.ledger.newest_windows()
    found: list[tuple[str, Digest]] = []
    if spec.name in newest:  # without a window of its own it has waited for none
        since = context.ledger.windows_since(spec.name, newest[spec.name][1])
        found = [(pipeline, span) for pipeline, span, tested in since if tested.counts]
    return Elsewhere({name: at for name, (at, _) in newest.items()}, tuple(found))


def _logs(spec: PipelineSpec, context: Context) -> Listing:
    """The log's files; that there is no such folder yet keeps nothing else from being watched."""
    assert spec.monitor.predictions is not None
    try:
        return context.visible(list_spans(as_source(spec.monitor.predictions), context.settings))
    except SourceError as error:
        return Listing((), (f"logged predictions are not read: {error.line}",))
