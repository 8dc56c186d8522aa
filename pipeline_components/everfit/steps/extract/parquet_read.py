"""Reading Parquet in streaming batches of the five types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from everfit.contracts.errors import shortlist
from everfit.contracts.messages.readings import ColumnReading
from everfit.contracts.messages.spans import SpanRef
from everfit.data.sources.reader import Reading
from everfit.data.sources.refused import SpanRefused
from everfit.data.tables.column_types import ARROW, normal_type
from everfit.steps.extract.given_times import GivenTimes, beyond_64_bits
from everfit.steps.extract.packed import corrupt, wide

BATCH_ROWS = 32_768

MOST_BATCH = 1 << 30
"""Bytes that a batch of one column of texts may unpack to."""

_SUSPECT = 256 << 10
"""Bytes of texts in a row group from which a few of them, repeated, could be too many."""

Made = TypeVar("Made")


class ParquetSpan:
    """One Parquet file.

    Raises
    ------
    SpanRefused
        If its footer cannot be read.
    """

    def __init__(self, path: Path, ref: SpanRef) -> None:
        self._path, self._ref = path, ref
        self.told: tuple[ColumnReading, ...] = ()
        try:
            with pq.ParquetFile(path) as file:
                self._schema = file.schema_arrow
                self._rows = file.metadata.num_rows
        except (pa.ArrowException, OSError) as error:
            raise corrupt(ref, f"its Parquet footer cannot be read ({_first(error)})") from None
        names: list[str] = list(self._schema.names)
        self._repeated = {name for name, times in Counter(names).items() if times > 1}
        self.columns = [name for name in names if name not in self._repeated]
        self.notes: tuple[str, ...] = ()
        self.unread: tuple[str, ...] = ()
        self.found: dict[str, Any] = {}

    def restrict(self, wanted: Sequence[str] | None, dropped: Sequence[str]) -> None:
        """Leave out what is dropped and cannot be read; refuse names that are there twice.

        Raises
        ------
        SpanRefused
            ``SPAN-HEADER``.
        """
        for name in sorted(self._repeated):
            if wanted is None or name in wanted:
                raise SpanRefused(
                    "SPAN-HEADER",
                    self._ref,
                    "every column must have a name of its own",
                    f"{name!r} is there twice",
                    "Rename one of them where the file is written, or list the columns to read in "
                    "source.columns",
                )
        if wanted is not None:
            return
        unread = [
            name
            for name in self.columns
            if name in dropped and normal_type(self._schema.field(name).type) is None
        ]
        if unread:
            self.unread = tuple(unread)
            self.columns = [name for name in self.columns if name not in unread]
            kinds = [f"{name} ({self._schema.field(name).type})" for name in unread]
            self.notes = (f"dropped columns are not read: {shortlist(kinds)}",)

    def convert(
        self,
        columns: list[str],
        reading: Reading,
        make: Callable[[Any, Iterator[Any]], Made],
        progress: Callable[[float], None],
    ) -> Made:
        """Convert the file; see ``CsvSpan.convert``.

        A type that the spec names is taken where every value fits it; a column that does not fit
        keeps the type it has in the file, and one with an integer too large becomes text, digit
        for digit.

        Raises
        ------
        SpanRefused
            If a column is a list, a struct or binary, or a page cannot be decoded.
        """
        own = {name: self._own_type(name) for name in columns}
        times = GivenTimes(reading)
        types = {name: ARROW[kind] for name, kind in reading.types.items()}
        types.update(dict.fromkeys(reading.times, pa.timestamp("us")))
        chosen = {name: types.get(name, own[name]) for name in columns}
        exact: set[str] = set()
        while True:
            times.begin()
            schema = pa.schema([(name, chosen[name]) for name in columns])
            try:
                made = make(schema, self._batches(schema, times, progress))
            except _DoesNotFit as failed:
                name = failed.column
                if chosen[name] != own[name] or pa.types.is_string(own[name]):
                    chosen[name] = own[name]
                else:
                    chosen[name] = pa.string()
                    exact.add(name)
            except (pa.ArrowException, OSError) as error:
                raise corrupt(self._ref, f"a page cannot be decoded ({_first(error)})") from None
            else:
                self.told = (
                    *times.told(columns),
                    *(beyond_64_bits(name, self._rows) for name in columns if name in exact),
                )
                return made

    def _own_type(self, name: str) -> Any:
        kind = self._schema.field(name).type
        normal = normal_type(kind)
        if normal is None:
            raise SpanRefused(
                "SPAN-COLUMN-TYPE",
                self._ref,
                "a column must hold numbers, texts, booleans or times",
                f"{name!r} holds {kind}",
                "Drop it (features.drop), name the other columns in source.columns, or write this "
                "one flat",
            )
        return normal

    def _suspect(self) -> list[str]:
        """Columns of texts in which a dictionary of long ones may stand for many rows."""
        with pq.ParquetFile(self._path) as file:
            metadata = file.metadata
            chunks = [
                metadata.row_group(group).column(number)
                for group in range(metadata.num_row_groups)
                for number in range(metadata.num_columns)
            ]
        return sorted(
            {
                chunk.path_in_schema
                for chunk in chunks
                if chunk.total_uncompressed_size > _SUSPECT
                and chunk.path_in_schema in self.columns
                and _is_text(self._schema.field(chunk.path_in_schema).type)
            }
        )

    def _unpacked(self, column: Any, name: str) -> Any:
        """The texts that a dictionary stands for, where they are not too many."""
        if not pa.types.is_dictionary(column.type):
            return column
        lengths = pc.binary_length(column.dictionary).take(column.indices)
        if (pc.sum(lengths).as_py() or 0) > MOST_BATCH:
            raise wide(MOST_BATCH, f"{len(column):,} rows of the column {name!r}", self._ref)
        return column.dictionary_decode()

    def _batches(
        self, schema: Any, times: GivenTimes, progress: Callable[[float], None]
    ) -> Iterator[Any]:
        done = 0
        suspect = self._suspect()
        with pq.ParquetFile(self._path, read_dictionary=suspect) as file:
            for batch in file.iter_batches(BATCH_ROWS, columns=schema.names, use_threads=False):
                columns = []
                for field in schema:
                    column = batch.column(field.name)
                    if field.name in suspect:
                        column = self._unpacked(column, field.name)
                    try:
                        columns.append(times.convert(field.name, column, field.type))
                    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                        raise _DoesNotFit(field.name) from None
                done += batch.num_rows
                progress(done / max(self._rows, 1))
                yield pa.RecordBatch.from_arrays(columns, schema=schema)


class _DoesNotFit(Exception):
    def __init__(self, column: str) -> None:
        super().__init__(column)
        self.column = column


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _first(error: BaseException) -> str:
    return str(error).splitlines()[0][:120] if str(error) else type(error).__name__
