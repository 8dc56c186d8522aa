"""Tables beside the source, joined to its spans: read once, then looked up span by span."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from everfit.contracts.base import digest_of
from everfit.contracts.messages.joined import Joined, Labelled
from everfit.contracts.messages.requests import ExtractRequest
from everfit.contracts.messages.spans import Snapshot, SpanRef
from everfit.data.sources.beside import LABELS, table_name
from everfit.engine.context import Context
from everfit.steps.extract.joined_table import Table
from everfit.steps.extract.labels import Labels
from everfit.steps.extract.parquet_read import BATCH_ROWS
from everfit.steps.extract.parquet_write import write_parquet
from everfit.steps.extract.snapshot import find_converted, publish

JOIN_VERSION = 1
"""Raised whenever the same spans and tables would be joined otherwise."""


class Joiner:
    """Joins tables that were read to spans that were read.

    Parameters
    ----------
    request : ExtractRequest
    tables : mapping of str to tuple of Snapshot
        Each table's spans, oldest first.
    context : Context
    """

    def __init__(
        self, request: ExtractRequest, tables: dict[str, tuple[Snapshot, ...]], context: Context
    ) -> None:
        self._request, self._context = request, context
        self._tables = [
            Table(table_name(number), join, tables[table_name(number)], context)
            for number, join in enumerate(request.join)
        ]
        self._content: list[Any] = [
            [table.join.model_dump(mode="json", exclude={"source"}), table.digests]
            for table in self._tables
        ]
        self._labels = None
        if request.labels is not None:
            self._labels = Labels(request.labels, tables[LABELS], request.row_by_row, context)
            told = request.labels.model_dump(mode="json", exclude={"source"})
            until = self._labels.known_until
            content = [told, self._labels.table.digests, until, request.row_by_row]
            self._content.append(content)

    def snapshot(self, ref: SpanRef, apart: Snapshot) -> Snapshot:
        """The span with the columns of all tables; made once for the same content.

        Parameters
        ----------
        ref : SpanRef
        apart : Snapshot
            The span as the source has it.

        Raises
        ------
        SpanRefused
            If a table cannot be joined to it, or has several rows for one of its rows.
        """
        key = digest_of(
            {
                "joined": JOIN_VERSION,
                "span": apart.span.digest,
                "tables": self._content,
                "time": self._request.time,
            }
        )
        converted = find_converted(self._context, key)
        if converted is None:
            target = self._context.scratch / "joined.parquet"
            path = self._context.store.local(apart.span.digest, self._context.scratch)
            try:
                written, counts, labels = self._write(ref, apart, path, target)
                converted = publish(
                    self._context, key, written, target, joined=counts, labels=labels
                )
            finally:
                target.unlink(missing_ok=True)
                if path.is_relative_to(self._context.scratch):  # a file of the store itself stays
                    path.unlink(missing_ok=True)
        span = apart.span.model_copy(
            update={"digest": converted.table.digest, "size": converted.table.size}
        )
        return apart.model_copy(
            update={
                "span": span,
                "fingerprint": ref.fingerprint,
                "provenance": {
                    **apart.provenance,
                    "apart": apart.span.digest,
                    "tables": [table.provenance for table in self._all],
                },
                "joined": converted.joined,
                "labels": converted.labels,
            }
        )

    @property
    def _all(self) -> list[Table]:
        return [*self._tables, *([self._labels.table] if self._labels else [])]

    def _write(
        self, ref: SpanRef, apart: Snapshot, path: Path, target: Path
    ) -> tuple[Any, tuple[Joined, ...], Labelled | None]:
        with pq.ParquetFile(path) as file:
            found = [table.look_up(ref, file, self._request.time) for table in self._tables]
            counts, labels = tuple(one.counts for one in found), None
            if self._labels is not None and self._request.time is not None:
                more, labels = self._labels.look_up(ref, file, apart, self._request.time)
                found.append(more)
            schema = file.schema_arrow
            for one in found:
                for field in one.values.schema:
                    schema = schema.append(field)

            def batches() -> Any:
                start = 0
                for batch in file.iter_batches(BATCH_ROWS, use_threads=False):
                    columns = list(batch.columns)
                    for one in found:
                        columns += one.columns(start, batch.num_rows)
                    start += batch.num_rows
                    yield pa.RecordBatch.from_arrays(columns, schema=schema)

            written = write_parquet(batches(), schema, target, self._request.time)
        return written, counts, labels
