"""Keeping the rows and columns a source asks for, batch by batch."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from everfit.contracts.errors import UserError, shortlist
from everfit.contracts.messages.spans import SpanRef
from everfit.contracts.spec.expression import columns_of
from everfit.contracts.spec.source import SourceSpec
from everfit.contracts.spec.table_schema import TableSchema
from everfit.data.sources.refused import SpanRefused


class Selection:
    """Which columns of a span are read, which are kept, and which rows.

    Parameters
    ----------
    ref : SpanRef
        The span, for messages.
    source : SourceSpec
        Its ``columns`` and ``where``.
    curated : TableSchema, optional
        A column that it lists may be absent here: validate judges that.
    there : list of str
        The span's columns.

    Raises
    ------
    SpanRefused
        If a column asked for is not there.
    """

    def __init__(
        self, ref: SpanRef, source: SourceSpec, curated: TableSchema | None, there: list[str]
    ) -> None:
        self._ref, self._where = ref, source.where
        wanted = list(source.columns) if source.columns is not None else there
        judged_later = set(curated.columns) if curated else set()
        needed = sorted(columns_of(source.where)) if source.where else []
        missing = [
            name
            for name in dict.fromkeys((*wanted, *needed))
            if name not in there and (name in needed or name not in judged_later)
        ]
        if missing:
            raise _missing(ref, missing, there)
        self.kept = [name for name in wanted if name in there]
        self.read = [name for name in there if name in {*self.kept, *needed}]
        if not self.kept:
            raise _missing(ref, wanted, there)

    def apply(self, batch: Any) -> Any:
        """The rows to keep, with the columns to keep, in their order.

        Raises
        ------
        SpanRefused
            If the filter does not fit the columns' types.
        """
        if self._where is not None and batch.num_rows:
            from everfit.data.tables.evaluate_expression import is_true
            from everfit.data.tables.frames import to_frame

            needed = batch.select(sorted(columns_of(self._where)))
            try:
                mask = is_true(self._where, to_frame(needed))
            except UserError as error:
                raise SpanRefused(
                    "SPAN-WHERE",
                    self._ref,
                    "source.where must fit the columns' types",
                    error.line.rstrip("."),
                    "Correct source.where or the curated types",
                ) from error
            batch = batch.filter(pa.array(mask))
        return batch.select(self.kept)


def _missing(ref: SpanRef, missing: list[str], there: list[str]) -> SpanRefused:
    from difflib import get_close_matches

    near = get_close_matches(missing[0], there, n=1)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    return SpanRefused(
        "SPAN-COLUMN-MISSING",
        ref,
        "every column of source.columns and source.where must be there",
        f"it has no {shortlist(repr(name) for name in missing)}, but {shortlist(there)}",
        f"{hint}Correct the spec, or list the column in the curated schema as not required",
    )
