"""Snapshots of a source's newest spans, for commands that look at data before any run."""

from __future__ import annotations

from everfit.contracts.errors import SourceError
from everfit.contracts.messages.joined import waits_for
from everfit.contracts.messages.spans import Snapshot, Span
from everfit.contracts.messages.steps import Order
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.data.sources.beside import list_with_tables
from everfit.data.sources.span_request import extract_request
from everfit.engine.context import Context
from everfit.engine.own_images import refuse_own_images


def newest_spans(spec: PipelineSpec, context: Context, count: int | None) -> tuple[Span, ...]:
    """Extract the newest ``count`` spans; see ``newest_snapshots``."""
    return tuple(snapshot.span for snapshot in newest_snapshots(spec, context, count))


def newest_snapshots(
    spec: PipelineSpec, context: Context, count: int | None
) -> tuple[Snapshot, ...]:
    """Extract the newest ``count`` spans (None: all), as a run would; oldest first.

    Raises
    ------
    SourceError
        If the source has no span, or none that can be read.
    UserError
        If the pipeline's spans are extracted in an image of its own.
    """
    refuse_own_images(spec, ("extract",))
    from everfit.steps.extract.step import Extract

    listed = list_with_tables(spec, context.settings)
    listing = listed.listing
    if not listing.spans:
        raise SourceError(
            "SOURCE-EMPTY",
            spec.name,
            "the source must have a span",
            listing.empty,
            "Correct source.uri, or set EVERFIT_DATA",
        )
    extract = Extract()
    back = count or len(listing.spans)
    while True:
        request = extract_request(spec, listing.spans[-back:], listed.tables)
        result = extract.run(request, context)
        extract.record(request, result, context, Order(component="extract", pipeline=spec))
        due = [one for one in result.snapshots if one.labels is None or one.labels.mature]
        if len(due) >= (count or 1):
            return tuple(due[-count:] if count else due)
        if back >= len(listing.spans):
            break
        back = min(2 * back, len(listing.spans))
    waiting = [one for one in result.snapshots if one.labels is not None and not one.labels.mature]
    if due or not waiting:
        return tuple(due)
    oldest = waiting[0]
    raise SourceError(
        "LABELS-NONE",
        spec.name,
        "a span must have labels that are due",
        f"{oldest.span.name} waits for its: {waits_for(oldest.labels)}" if oldest.labels else None,
        "Wait for the labels, or correct labels.source, labels.time or labels.horizon",
    )
