"""What each span delivered, as a sample by content, and whether earlier ones delivered it too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow.parquet as pq

from everfit.contracts.base import digest_of
from everfit.contracts.messages.spans import Span
from everfit.contracts.messages.statistics import SpanStatistics
from everfit.contracts.spec.expression import columns_of
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.spec.table_schema import ColumnType
from everfit.contracts.wording import percent
from everfit.data.tables.redelivery import pieces_of, redelivery
from everfit.data.tables.row_digests import row_digests
from everfit.engine.context import Context
from everfit.engine.fingerprints import value_digest
from everfit.ml.profiles.cache import keep_value, known_value, remove_copy
from everfit.ml.profiles.delivery_sample import DeliverySample, SampleTaker, rows_of
from everfit.ml.profiles.span_statistics import Tap, Tapping
from everfit.steps.validate.findings import Findings

BEFORE = 24
"""Good spans before a span that it is compared with, the newest."""

_BATCH_ROWS = 131_072


def compared_columns(spec: PipelineSpec, types: Mapping[str, ColumnType]) -> frozenset[str]:
    """Columns of a span that a new delivery of old rows keeps: what a model sees, and the target.

    Timestamps are left out, and what names a row or says who it is about.
    """
    derived = {name for text in spec.features.derive.values() for name in columns_of(text)}
    apart = {*spec.entity, *(spec.key if len(spec.key) == 1 else ())} - derived
    target = spec.target_columns or {spec.target.name}
    hidden = {*spec.shown_features.drop, *apart} - target
    return frozenset(
        name for name, kind in types.items() if name not in hidden and kind != "timestamp"
    )


class Deliveries:
    """The samples of a pipeline's spans.

    Parameters
    ----------
    context : Context
    spec : PipelineSpec
    """

    def __init__(self, context: Context, spec: PipelineSpec) -> None:
        self._context, self._spec = context, spec
        self._taken: dict[str, SampleTaker] = {}

    def tapping(self, span: Span) -> Tapping:
        """What takes the sample while the span is read for its statistics."""

        def begin(types: Mapping[str, ColumnType]) -> Tap:
            taker = SampleTaker(compared_columns(self._spec, types), frozenset(self._spec.key))
            self._taken[span.digest] = taker
            return taker.add

        return begin

    def of_spans(
        self, spans: Sequence[Span], statistics: Sequence[SpanStatistics]
    ) -> tuple[DeliverySample, ...]:
        """The sample of each span, read from the store where it is known."""
        found = []
        for span, known in zip(spans, statistics, strict=True):
            columns = compared_columns(self._spec, {c.name: c.type for c in known.columns})
            asked = {
                "span": span.digest,
                "columns": sorted(columns),
                "key": sorted(self._spec.key),
                "code": value_digest("span_statistics"),
            }
            key = digest_of(asked)
            kept = known_value(self._context, "deliveries", key, DeliverySample)
            if kept is not None:
                found.append(kept[0])
                continue
            taker = self._taken.get(span.digest) or self._read(span, columns)
            sample = taker.sample()
            keep_value(self._context, "deliveries", key, "delivery.json", sample)
            found.append(sample)
        return tuple(found)

    def _read(self, span: Span, columns: frozenset[str]) -> SampleTaker:
        key = frozenset(self._spec.key)
        taker = SampleTaker(columns, key)
        path = self._context.store.local(span.digest, self._context.scratch)
        try:
            with pq.ParquetFile(path) as file:
                names = [name for name in file.schema_arrow.names if name in columns | key]
                for batch in file.iter_batches(_BATCH_ROWS, columns=names, use_threads=False):
                    hashes = {name: row_digests(batch, [name]) for name in names}
                    taker.add(hashes, batch.num_rows)
        finally:
            remove_copy(path, self._context)
        return taker


def check_delivery(
    sample: DeliverySample, before: Sequence[tuple[str, DeliverySample]], findings: Findings
) -> None:
    """A large part of the span was delivered by the good spans before it.

    Rows that come again under their own key are versions of a row, which prepare tells apart.

    Parameters
    ----------
    sample : DeliverySample
    before : sequence of (str, DeliverySample)
        Name and sample of each span before, oldest first.
    findings : Findings
    """
    before = before[-BEFORE:]
    if not before:
        return
    halvings = max(one.halvings for one in (sample, *(one for _, one in before)))
    earlier = [rows_of(one, halvings) for _, one in before]
    new, versions = rows_of(sample, halvings)
    if versions is not None:
        known = [rows for _, rows in earlier if rows is not None]
        new = new[~np.isin(versions, np.concatenate(known))]
    contents = [content for content, _ in earlier]
    owner = np.repeat(np.arange(len(contents)), [len(content) for content in contents])
    found = redelivery(new, np.concatenate(contents), pieces_of(owner))
    if found is None or not found.is_large:
        return
    shares = [float(np.isin(new, content).mean()) for content in contents]
    most = before[int(np.argmax(shares))][0]
    part = percent(round(min(max(found.part, 0.0), 1.0), 2))
    findings.add(
        "DELIVERED-BEFORE",
        "error",
        f"about {part} of its rows were delivered before, most of them by {most!r}, under other "
        "ids or times: they equal earlier ones in what the model sees and in the target, where "
        f"{percent(round(found.by_chance, 3))} do so by chance",
    )
