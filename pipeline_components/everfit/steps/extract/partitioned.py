"""Columns that the folders of a file say (``region=EU/…``), beside those in the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import pyarrow as pa

from everfit.contracts.messages.readings import ColumnReading
from everfit.data.sources.reader import Reading
from everfit.data.tables.column_types import ARROW

Made = TypeVar("Made")


def type_of(values: Sequence[str | None]) -> Any:
    """The type of a partition column: whole numbers (``01`` too), dates, else texts."""
    given = [value for value in values if value is not None]
    if given and all(re.fullmatch(r"-?\d{1,18}", value) for value in given):
        return pa.int64()
    if given and all(_date(value) is not None for value in given):
        return pa.timestamp("us")
    return pa.string()


def value_as(value: str | None, kind: Any) -> Any:
    """A folder's text as a value of a type."""
    if value is None or pa.types.is_string(kind):
        return value
    if pa.types.is_timestamp(kind):
        return _date(value)
    if pa.types.is_boolean(kind):
        return {"true": True, "false": False}[value.lower()]
    return float(value) if pa.types.is_floating(kind) else int(value)


def _date(value: str) -> datetime | None:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d)?)?", value):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def with_partitions(span: Any, values: Mapping[str, str | None]) -> Any:
    """The file, with a column for each folder that names one; a column in the file itself wins."""
    values = {name: value for name, value in values.items() if name not in span.columns}
    return Partitioned(span, values) if values else span


class Partitioned:
    """A file whose folders say more columns; what reads it is as ``CsvSpan`` and ``ParquetSpan``.

    Parameters
    ----------
    span : CsvSpan or ParquetSpan
    values : mapping
        Column → its text in every row.
    """

    def __init__(self, span: Any, values: Mapping[str, str | None]) -> None:
        self._span, self._values = span, dict(values)
        self.found: dict[str, Any] = span.found

    @property
    def columns(self) -> list[str]:
        """Those of the file, then those of its folders."""
        return [*self._span.columns, *self._values]

    @property
    def notes(self) -> tuple[str, ...]:
        """Of the file."""
        return tuple(self._span.notes)

    @property
    def unread(self) -> tuple[str, ...]:
        """Of the file."""
        return tuple(self._span.unread)

    @property
    def told(self) -> tuple[ColumnReading, ...]:
        """Of the file."""
        return tuple(self._span.told)

    def restrict(self, wanted: Sequence[str] | None, dropped: Sequence[str]) -> None:
        """As the file's."""
        self._span.restrict(wanted, dropped)

    def convert(
        self,
        columns: list[str],
        reading: Reading,
        make: Callable[[Any, Iterator[Any]], Made],
        progress: Callable[[float], None],
    ) -> Made:
        """Convert the file; see ``CsvSpan.convert``."""
        own = [name for name in columns if name not in self._values]
        if not own:  # something must be read for the number of rows to be known
            own = self._span.columns[:1]

        def more(schema: Any, batches: Iterator[Any]) -> Made:
            kinds = {
                name: schema.field(name).type if name in own else self._kind(name, reading)
                for name in columns
            }
            whole = pa.schema(list(kinds.items()))

            def extended() -> Iterator[Any]:
                for batch in batches:
                    yield pa.RecordBatch.from_arrays(
                        [
                            batch.column(name)
                            if name in own
                            else pa.repeat(
                                pa.scalar(value_as(self._values[name], kind), kind), batch.num_rows
                            )
                            for name, kind in kinds.items()
                        ],
                        schema=whole,
                    )

            return make(whole, extended())

        made: Made = self._span.convert(own, reading, more, progress)
        return made

    def _kind(self, name: str, reading: Reading) -> Any:
        """The curated type where the text is one, else its own."""
        wanted = ARROW.get(reading.types.get(name, ""))
        if wanted is not None:
            try:
                value_as(self._values[name], wanted)
            except (KeyError, ValueError):
                wanted = None
        return wanted if wanted is not None else type_of([self._values[name]])
