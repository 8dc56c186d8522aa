"""Snapshots of a source's newest spans, for commands that look at data before any run."""

from __future__ import annotations

from pipeline_components.context import Context
from pipeline_components.contracts.errors import SourceError
from pipeline_components.contracts.requests import ExtractRequest
from pipeline_components.contracts.spans import Span
from pipeline_components.contracts.spec import PipelineSpec
from pipeline_components.contracts.steps import Order
from pipeline_components.own_images import refuse_own_images
from pipeline_components.source import list_spans


def newest_spans(spec: PipelineSpec, context: Context, count: int | None) -> tuple[Span, ...]:
    """Extract the newest ``count`` spans (None: all), as a run would; oldest first.

    Raises
    ------
    SourceError
        If the source has no span, or none that can be read.
    UserError
        If the pipeline's spans are extracted in an image of its own.
    """
    refuse_own_images(spec, ("extract",))
    from pipeline_components.extract import door

    listing = list_spans(spec.source, context.settings)
    if not listing.spans:
        raise SourceError(
            "SOURCE-EMPTY", spec.name, "the source must have a span", listing.empty,
            "Correct source.uri, or set EVERFIT_DATA",
        )  # fmt: skip
    request = ExtractRequest(
        pipeline=spec.name,
        source=spec.source,
        curated=spec.curated,
        time=spec.time,
        spans=listing.spans[-count:] if count else listing.spans,
    )
    result = door.run(request, context)
    door.settle(request, result, context, Order(component="extract", pipeline=spec))
    return tuple(snapshot.span for snapshot in result.snapshots)
