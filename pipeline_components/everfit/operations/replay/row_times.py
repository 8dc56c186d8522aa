"""When the rows of spans end, where no name says when a span was complete."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from everfit.contracts.messages.requests import ExtractRequest
from everfit.contracts.messages.spans import SpanRef
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.engine.context import Context
from everfit.steps.extract.step import Extract

FAR = 10.0
"""Times so many times the middle half's width beyond it are of no row that can be true."""


def end_of_rows(
    spec: PipelineSpec, spans: Sequence[SpanRef], context: Context
) -> dict[str, datetime]:
    """The time of the latest row of each span that names no period.

    Parameters
    ----------
    spec : PipelineSpec
        Without a ``time`` column nothing is read.
    spans : sequence of SpanRef
    context : Context
        Spans are snapshotted into its store, where a run finds them; its ledger is not written.
    """
    undated = tuple(span.apart for span in spans if span.period_end is None)
    if spec.time is None or not undated:
        return {}
    request = ExtractRequest(
        pipeline=spec.name,
        source=spec.source,
        curated=spec.curated,
        time=spec.time,
        spans=undated,
        dropped=spec.features.drop,
        rules=spec.validation.rows,
    )
    found = {}
    for snapshot in Extract().run(request, context).snapshots:
        path = context.store.local(snapshot.span.digest, context.scratch)
        end = _latest(str(path), spec.time)
        if end is not None and end <= context.clock():
            found[snapshot.span.name] = end
    return found


def _latest(path: str, time: str) -> datetime | None:
    """The latest time that is not absurdly far from the others; None where there is none."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pq.read_schema(path)
    if time not in schema.names or not pa.types.is_timestamp(schema.field(time).type):
        return None
    column = pq.read_table(path, columns=[time])[time].drop_null()
    if not len(column):
        return None
    micros = np.sort(column.cast("timestamp[us]").cast("int64").to_numpy())
    low, high = micros[len(micros) // 4], micros[3 * len(micros) // 4]
    limit = high + FAR * max(high - low, 1)
    last = int(micros[micros <= limit][-1])
    return datetime.fromtimestamp(last / 1e6, UTC)
