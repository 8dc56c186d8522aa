"""One table that is joined, with the digests of its keys on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from everfit.contracts.base import Digest
from everfit.contracts.errors import SourceError, shortlist
from everfit.contracts.messages.joined import Joined
from everfit.contracts.messages.spans import Snapshot, SpanRef
from everfit.contracts.spec.joined import JoinSpec
from everfit.contracts.visible import visible
from everfit.data.sources.refused import SpanRefused
from everfit.data.tables.column_types import common_type, type_name
from everfit.data.tables.point_in_time import NEVER, NewestMatches
from everfit.data.tables.row_digests import Hashes, Integers
from everfit.engine.context import Context
from everfit.steps.extract.key_columns import (
    example_of,
    on_disk,
    one_array,
    orders,
    read_keys,
    sort_of,
    take_rows,
    without_values,
)


@dataclass(frozen=True)
class Found:
    """What a table has for the rows of a span."""

    counts: Joined
    values: Any
    """Arrow table of the rows that are needed."""
    place: Integers
    """Of each row of the span: its row in ``values``; -1: none."""

    def columns(self, start: int, count: int) -> list[Any]:
        """The columns for some rows; missing where there is none."""
        place = self.place[start : start + count]
        rows = pa.array(place, mask=place < 0)
        taken = self.values.take(rows).combine_chunks()
        return [one_array(column) for column in taken.columns]


class Table:
    """One table, with the digests of its keys on disk.

    Parameters
    ----------
    name : str
        Its place in the spec.
    join : JoinSpec
    parts : sequence of Snapshot
        Its spans, oldest first.
    context : Context
    """

    def __init__(
        self, name: str, join: JoinSpec, parts: Sequence[Snapshot], context: Context
    ) -> None:
        self.name, self.join = name, join
        self._parts, self._context = parts, context
        self._keys: list[tuple[Path, Hashes, Integers | None]] = []
        self._types: dict[str, Any] = {}

    @property
    def where(self) -> str:
        """For messages."""
        return f"{self.name} ({self.join.source.address})"

    @property
    def digests(self) -> list[Digest]:
        """Of its spans."""
        return [one.span.digest for one in self._parts]

    @property
    def provenance(self) -> dict[str, Any]:
        """What was joined, and where it came from; no credentials."""
        return {
            "table": self.name,
            "address": self.join.source.address,
            "spans": [
                {"name": one.span.name, "digest": one.span.digest, **one.provenance}
                for one in self._parts
            ],
        }

    def look_up(self, ref: SpanRef, file: Any, time: str | None) -> Found:
        """Find the table's row for each row of a span.

        Parameters
        ----------
        ref : SpanRef
        file : pyarrow.parquet.ParquetFile
            Of the span.
        time : str or None
            The pipeline's.

        Raises
        ------
        SpanRefused
            If the two do not fit together, or a row has more than one match.
        """
        found, matches, _ = self.find(ref, file, time if self.join.as_of else None)
        if matches.tied.any():
            raise self._several(ref, file, int(np.flatnonzero(matches.tied)[0]))
        return found

    def find(
        self, ref: SpanRef, file: Any, time: str | None, horizon: int = 0
    ) -> tuple[Found, NewestMatches, Integers | None]:
        """The same, of several newest rows the last; with the matches and the rows' times.

        Parameters
        ----------
        ref : SpanRef
        file : pyarrow.parquet.ParquetFile
            Of the span.
        time : str or None
            None: no time is read, and every row of the table counts.
        horizon : int
            Microseconds after a row's time up to which a row of the table counts.
        """
        self._open()
        self._fits(ref, file, time)
        keys, times = read_keys(file, sorted(self.join.on), time)
        until = None
        if times is not None and self.join.as_of:
            until = np.where(times == NEVER, NEVER, times + horizon)
        matches = NewestMatches(keys, until)
        for _, theirs, known in self._keys:
            matches.add(theirs, known)
        there = matches.at >= 0
        rows, place = np.unique(matches.at[there], return_inverse=True)
        places = np.full(len(keys), -1, dtype=np.int64)
        places[there] = place
        counts = Joined(
            table=self.join.source.address,
            rows=len(keys),
            matched=int(there.sum()),
            later=int((matches.known & ~there).sum()),
        )
        return Found(counts, self._values(rows), places), matches, times

    def _open(self) -> None:
        """Digest the keys of all parts, once."""
        if self._keys:
            return
        kinds: dict[str, list[Any]] = {name: [] for name in self.join.reads}
        for number, part in enumerate(self._parts):
            path = self._context.store.local(part.span.digest, self._context.scratch)
            with pq.ParquetFile(path) as file:
                for name, found in kinds.items():
                    if name not in file.schema_arrow.names:
                        raise self._fault(part, f"a column {name!r}", "it has none")
                    kind = file.schema_arrow.field(name).type
                    if not without_values(file, name):
                        found.append(kind)
                as_of = self.join.as_of
                if as_of and not orders(file.schema_arrow.field(as_of).type):
                    raise self._fault(
                        part, f"times in {as_of!r}", f"it is {file.schema_arrow.field(as_of).type}"
                    )
                keys, times = read_keys(file, sorted(self.join.on), as_of)
            room = self._context.scratch / f"{self.name}.{number}"
            self._keys.append((path, on_disk(keys, room, "keys"), on_disk(times, room, "times")))
        for name in self.join.on:
            if len(sorts := {sort_of(kind) for kind in kinds[name]}) > 1:
                raise SourceError(
                    "JOIN-TABLE",
                    f"{self.where} {name}",
                    "a key is of one type in all of a table",
                    f"it is {' and '.join(sorted(sorts))}",
                    f"Say how it is read: types: {{{name}: string}} in {self.name}.source",
                )
        self._types = {name: common_type(some) for name, some in kinds.items()}

    def _fits(self, ref: SpanRef, file: Any, time: str | None) -> None:
        """Refuse a span that the table cannot be joined to."""
        schema = file.schema_arrow
        for name in self.join.on:
            if name not in schema.names:
                raise self._refused(
                    ref,
                    f"a span has the column {name!r}, which {self.where} is joined on",
                    f"it has {shortlist(map(repr, schema.names))}",
                    f"Correct {self.name}.on",
                )
            ours, theirs = schema.field(name).type, self._types[name]
            if self._keys and sort_of(ours) != sort_of(theirs) and not without_values(file, name):
                raise self._refused(
                    ref,
                    f"{name!r} is of one type here and in {self.where}",
                    f"here it is {type_name(ours)}, such as {example_of(file, name)}, and there "
                    f"{type_name(theirs)}, such as {self._example(name)}",
                    f"Say how it is read: types: {{{name}: string}} in source and in "
                    f"{self.name}.source",
                )
        for name in self.join.names.values():
            if name in schema.names:
                raise self._refused(
                    ref,
                    f"a column is joined under a name that is free: {name!r}",
                    "the span has it already",
                    f"Give {self.name}.prefix, or leave the column out",
                )
        if self._keys and self.join.as_of and time is not None:
            kind = schema.field(time).type if time in schema.names else None
            if kind is None or sort_of(kind) != sort_of(self._types[self.join.as_of]):
                raise self._refused(
                    ref,
                    f"the time {time!r} is compared with {self.join.as_of!r} of {self.where}",
                    f"here it is {type_name(kind) if kind else 'not there'}, and there "
                    f"{type_name(self._types[self.join.as_of])}",
                    "Say how both are read, in times and types of the sources",
                )

    def _several(self, ref: SpanRef, file: Any, row: int) -> SpanRefused:
        """The refusal of a span with a row that the table has several rows for."""
        values = file.read(columns=list(self.join.on)).slice(row, 1).to_pylist()[0]
        key = ", ".join(f"{name} {visible(values[name])}" for name in self.join.on)
        as_of = self.join.as_of
        return self._refused(
            ref,
            f"{self.where} has at most one row for each row"
            + (f" as of one {as_of!r}" if as_of else ""),
            f"it has several for {key}",
            "Leave the others out at the source"
            + ("" if as_of else f", or name in {self.name}.as_of since when a row is known"),
        )

    def _refused(self, ref: SpanRef, must: str, found: str, todo: str) -> SpanRefused:
        return SpanRefused(
            "SPAN-JOIN", ref, f"a table that is joined must fit: {must}", found, todo
        )

    def _fault(self, part: Snapshot, must: str, found: str) -> SourceError:
        return SourceError(
            "JOIN-TABLE",
            f"{self.where} {part.span.name}",
            f"a table that is joined has {must}",
            found,
            f"Correct {self.name}, or the table",
        )

    def _example(self, name: str) -> str:
        return next(
            (found for path, _, _ in self._keys if (found := example_of(path, name))), "nothing"
        )

    def _values(self, rows: Integers) -> Any:
        """Some rows of the table, counted over all parts, in ascending order."""
        schema = pa.schema(
            [(name, self._types[column]) for column, name in self.join.names.items()]
        )
        taken, begin = [], 0
        for path, keys, _ in self._keys:
            mine = rows[(rows >= begin) & (rows < begin + len(keys))] - begin
            begin += len(keys)
            if len(mine):
                taken += take_rows(path, list(self.join.columns), mine, schema)
        return pa.Table.from_batches(taken, schema=schema)
