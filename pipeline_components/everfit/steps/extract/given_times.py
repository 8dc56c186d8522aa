"""Times of typed columns: by the format that the spec names, in the zone that it names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from everfit.contracts.messages.readings import ColumnReading
from everfit.contracts.visible import visible
from everfit.contracts.wording import count
from everfit.data.sources.reader import Reading
from everfit.data.tables.column_types import cast
from everfit.data.tables.read_times import in_utc, parse_times

_EXAMPLES = 5


class GivenTimes:
    """Converts the columns of one span, and counts what is no time.

    Parameters
    ----------
    reading : Reading
        Formats by column, and the zone of times without one.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self.begin()

    def begin(self) -> None:
        """Forget what was counted: the rows come from the first one again."""
        self._values: dict[str, int] = {}
        self._odd: dict[str, int] = {}
        self._examples: dict[str, list[str]] = {}

    def has(self, name: str) -> bool:
        """Whether the spec names a format for a column."""
        return name in self._reading.times

    def convert(self, name: str, column: Any, kind: Any) -> Any:
        """A column of a batch as ``kind``.

        Raises
        ------
        pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError
            If a value does not fit.
        """
        form, zone = self._reading.times.get(name), self._reading.timezone
        if form is not None and not pa.types.is_temporal(column.type):
            times = parse_times(column, form, zone)
            self._count(name, column, times)
            return times
        if zone is not None and pa.types.is_string(column.type) and pa.types.is_timestamp(kind):
            times = parse_times(column, "year-month-day", zone)
            if times.null_count != column.null_count:
                raise pa.ArrowInvalid("not all of the texts are ISO 8601 times")
            return times
        found = cast(column, kind)
        naive = not (pa.types.is_timestamp(column.type) and column.type.tz is not None)
        if zone is not None and naive and pa.types.is_timestamp(found.type):
            return in_utc(found, zone)
        return found

    def told(self, names: Sequence[str]) -> tuple[ColumnReading, ...]:
        """What is to be told of the columns."""
        return tuple(self._reading_of(name) for name in names if self._odd.get(name))

    def _count(self, name: str, column: Any, times: Any) -> None:
        odd = column.is_valid().to_numpy(zero_copy_only=False)
        self._values[name] = self._values.get(name, 0) + int(odd.sum())
        odd = odd & times.is_null().to_numpy(zero_copy_only=False)
        self._odd[name] = self._odd.get(name, 0) + int(odd.sum())
        kept = self._examples.setdefault(name, [])
        for place in np.flatnonzero(odd)[: 20 * _EXAMPLES].tolist():
            text = str(column[place].as_py())
            if len(kept) < _EXAMPLES and text not in kept:
                kept.append(text)

    def _reading_of(self, name: str) -> ColumnReading:
        odd, form = self._odd[name], self._reading.times[name]
        is_, counts = ("is", "counts") if odd == 1 else ("are", "count")
        return ColumnReading(
            column=name,
            kind="unreadable",
            type="timestamp",
            values=self._values[name],
            odd=odd,
            message=f"{odd:,} of {count(self._values[name], 'value')} {is_} no time by {form} and "
            f"{counts} as missing: {', '.join(map(visible, self._examples[name]))}",
            todo=f"Correct source.times: {{{name}: …}}, or the values at the source",
        )


def beyond_64_bits(name: str, rows: int) -> ColumnReading:
    """What is told of a column with whole numbers that do not fit."""
    return ColumnReading(
        column=name,
        kind="exact",
        type="string",
        values=rows,
        odd=1,
        message="whole numbers beyond 64 bits: kept as text, digit for digit",
        todo=f"source.types: {{{name}: float}} reads them as numbers, rounded",
    )
