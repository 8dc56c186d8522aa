"""Watch's door: reads source and ledger, and says what monitoring has to look at."""

from __future__ import annotations

import logging

from pipeline_components.champion.current import current_champion
from pipeline_components.context import Context
from pipeline_components.contracts.errors import NothingToDo, SourceError
from pipeline_components.contracts.monitoring import WatchRequest, WatchResult
from pipeline_components.contracts.rules import rules_digest
from pipeline_components.contracts.spec import PipelineSpec
from pipeline_components.contracts.steps import Order
from pipeline_components.door import Telling, Upstream
from pipeline_components.source import Listing, list_spans
from pipeline_components.source.prediction_log import as_source
from pipeline_components.source.reader import reader_digest

from .look import Look, World

log = logging.getLogger(__name__)

RESULT = WatchResult
CACHED = False


def request(order: Order, upstream: Upstream, context: Context) -> WatchRequest:  # noqa: ARG001
    """The spec is all."""
    return WatchRequest(pipeline=order.pipeline)


def run(request: WatchRequest, context: Context) -> WatchResult:
    """Look at source and ledger."""
    spec, ledger = request.pipeline, context.ledger
    champion = current_champion(ledger, spec.name)
    logs, log_reader = Listing(()), None
    if spec.monitor.predictions is not None:
        source = as_source(spec.monitor.predictions)
        log_reader = reader_digest(source, None, spec.monitor.predictions.time)
        logs = _logs(spec, context)
    world = World(
        listing=context.visible(list_spans(spec.source, context.settings)),
        records=ledger.spans(spec.name),
        reader=reader_digest(spec.source, spec.curated, spec.time),
        quarantined=ledger.quarantined(spec.name, rules_digest(spec)),
        champion=champion,
        monitored=ledger.monitorings(spec.name, champion.run_key) if champion else (),
        now=context.clock(),
        logs=logs,
        log_reader=log_reader,
    )
    result = Look(spec, world).result()
    log.info("%s watch: %s", spec.name, result.because)
    for note in (*result.notes, *logs.notes):
        log.info("%s watch: %s", spec.name, note)
    return result


def settle(request: WatchRequest, result: WatchResult, context: Context, order: Order) -> None:  # noqa: ARG001
    """Record nothing: what is read and measured is recorded by those who do it.

    Raises
    ------
    NothingToDo
        If nothing is to be read or evaluated.
    """
    if not result.spans:
        raise NothingToDo("WATCH-NOTHING", request.pipeline.name, result.because)


def tell(result: WatchResult, context: Context) -> Telling:  # noqa: ARG001
    """Counts and the reason."""
    summary: dict[str, object] = {
        "spans": len(result.spans),
        "evaluate": len(result.evaluate),
        "champion": result.champion.version if result.champion else None,
        "because": result.because,
    }
    return Telling(summary=summary)


def _logs(spec: PipelineSpec, context: Context) -> Listing:
    """The log's files; that there is no such folder yet keeps nothing else from being watched."""
    assert spec.monitor.predictions is not None
    try:
        return context.visible(list_spans(as_source(spec.monitor.predictions), context.settings))
    except SourceError as error:
        return Listing((), (f"logged predictions are not read: {error.line}",))
