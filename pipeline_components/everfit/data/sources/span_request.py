"""What extract is asked: apart from listing, for a plan with nothing to do needs none of it."""

from __future__ import annotations

from collections.abc import Mapping

from everfit.contracts.messages.requests import ExtractRequest
from everfit.contracts.messages.spans import SpanRef
from everfit.contracts.spec.joined import JoinSpec
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.spec.source import SourceSpec


def extract_request(
    spec: PipelineSpec, spans: tuple[SpanRef, ...], tables: Mapping[str, tuple[SpanRef, ...]]
) -> ExtractRequest:
    """What extract is asked for some spans of a pipeline.

    Parameters
    ----------
    spec : PipelineSpec
    spans : tuple of SpanRef
        Oldest first.
    tables : mapping
        As they were listed.
    """
    return ExtractRequest(
        pipeline=spec.name,
        source=spec.source,
        curated=spec.curated,
        time=spec.time,
        spans=spans,
        dropped=spec.features.drop,
        rules=spec.validation.rows,
        join=spec.join,
        labels=spec.labels,
        row_by_row=spec.labels is not None and spec.holdout.spans is None,
        tables=dict(tables),
    )


def source_of_table(join: JoinSpec) -> SourceSpec:
    """The source of a table, asked for the columns that are read alone."""
    source: SourceSpec = join.source.model_copy(update={"columns": join.reads})
    return source
