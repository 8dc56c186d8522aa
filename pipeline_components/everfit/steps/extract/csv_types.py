"""The types of a CSV's columns: as pyarrow infers them, corrected by what their texts show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from everfit.contracts.messages.readings import ColumnReading
from everfit.contracts.spec.source import CsvOptions
from everfit.data.sources.reader import Reading
from everfit.data.tables.column_types import ARROW, cast, normal_type
from everfit.data.tables.read_numbers import NumberStyle
from everfit.data.tables.read_times import in_utc
from everfit.steps.extract.text_column import Decision, TextColumn, Wish

_EXACT = 2.0**63
"""Floats from here on may have been whole numbers that do not fit 64 bits."""


class Doubt(Exception):
    """A column must be looked at as text before it can be read."""

    def __init__(self, column: str) -> None:
        super().__init__(column)
        self.column = column


class CsvTypes:
    """What is known of the columns so far.

    Parameters
    ----------
    columns : sequence of str
        Columns to read.
    reading : Reading
        What the spec says of them.
    options : CsvOptions
        How numbers are written, and which texts are missing values.
    """

    def __init__(self, columns: Sequence[str], reading: Reading, options: CsvOptions) -> None:
        self._columns, self._reading = list(columns), reading
        self._style = NumberStyle(options.decimal, options.thousands, options.currency)
        self._nulls = frozenset(options.null_values)
        self._decided: dict[str, Decision] = {}
        self._told: dict[str, ColumnReading | None] = {}
        self.fixed: dict[str, Any] = {
            name: ARROW[reading.types[name]] for name in columns if name in reading.types
        }
        """Column → the type that pyarrow is told; the others are inferred."""
        self.fixed.update(dict.fromkeys(set(columns) & reading.times.keys(), pa.string()))

    def undecided(self, inferred: Mapping[str, Any]) -> list[str]:
        """Columns that pyarrow takes for texts, of which nothing is known yet."""
        return [
            name
            for name in self._columns
            if name not in self._decided
            and (pa.types.is_string(inferred[name]) or pa.types.is_time(inferred[name]))
            and self._reading.types.get(name) != "string"
        ]

    def whole(self, inferred: Mapping[str, Any]) -> list[str]:
        """Columns of whole numbers that may be codes with leading zeros."""
        return [
            name
            for name in self._columns
            if name not in self._decided
            and pa.types.is_integer(inferred[name])
            and name not in self._reading.types
        ]

    def doubted(self, column: str, inferred: Mapping[str, Any]) -> list[str]:
        """Columns to look at as text, where a value of ``column`` did not fit its type.

        Every column the first block left open goes with it, in one reading.
        """
        if column in self._decided:
            self._as_text(column)
            return []
        open_ = {
            name
            for name, kind in inferred.items()
            if name not in self.fixed and not pa.types.is_string(kind)
        }
        return sorted({column, *open_} - self._decided.keys())

    def tallies(self, names: Sequence[str]) -> dict[str, TextColumn]:
        """What sees the texts of some columns."""
        return {
            name: TextColumn(
                name,
                self._style,
                Wish(
                    self._reading.types.get(name),
                    self._reading.times.get(name),
                    self._reading.timezone,
                ),
                self._nulls,
            )
            for name in names
        }

    def decide(self, seen: Mapping[str, TextColumn]) -> None:
        """Take over what the texts have shown."""
        for name, column in seen.items():
            decision, self._told[name] = column.decide()
            self._decided[name] = decision
            self.fixed[name] = decision.arrow if decision.plain else pa.string()

    def schema(self, inferred: Mapping[str, Any]) -> Any:
        """The Arrow schema of what ``convert`` gives."""
        return pa.schema(
            [
                (
                    name,
                    self._decided[name].arrow
                    if name in self._decided
                    else normal_type(inferred[name]),
                )
                for name in self._columns
            ]
        )

    def convert(self, name: str, column: Any, kind: Any) -> Any:
        """A column of a batch as its type.

        Raises
        ------
        Doubt
            If whole numbers may have been rounded.
        """
        decision = self._decided.get(name)
        if decision is not None:
            is_text = pa.types.is_string(column.type)
            return decision.convert(column) if is_text else cast(column, kind)
        if pa.types.is_floating(column.type) and self._reading.types.get(name) != "float":
            ends = pc.min_max(column)
            for end in (ends["min"].as_py(), ends["max"].as_py()):
                if end is not None and _EXACT <= abs(end) < float("inf"):
                    raise Doubt(name)
        zone = self._reading.timezone
        naive = pa.types.is_timestamp(column.type) and column.type.tz is None
        if zone is not None and (naive or pa.types.is_date(column.type)):
            return in_utc(cast(column, kind), zone)
        return cast(column, kind)

    @property
    def told(self) -> tuple[ColumnReading, ...]:
        """What is to be told of the columns, in their order."""
        return tuple(told for name in self._columns if (told := self._told.get(name)) is not None)

    @property
    def decimal(self) -> str:
        """The decimal mark."""
        return self._style.decimal

    def _as_text(self, column: str) -> None:
        """A plain parser did not read it after all: its texts are converted one by one."""
        self._decided[column] = replace(self._decided[column], plain=False)
        self.fixed[column] = pa.string()


def has_leading_zero(piece: bytes, delimiter: str) -> bool:
    """Whether a field in a piece of a file begins with a zero and a digit after it.

    Parameters
    ----------
    piece : bytes
        Its first byte is the last one before the fields that are looked at.

    Examples
    --------
    >>> has_leading_zero(b",007,1", ","), has_leading_zero(b",0.5,10,0", ",")
    (True, False)
    """
    marks = np.frombuffer(piece, dtype=np.uint8)
    begins = np.zeros(256, dtype=bool)
    begins[[ord(delimiter) % 256, ord("\n"), ord('"')]] = True
    zeros = np.flatnonzero(marks[1:-1] == ord("0")) + 1
    zeros = zeros[begins[marks[zeros - 1]]]
    digits = marks[zeros + 1]
    return bool(((digits >= ord("0")) & (digits <= ord("9"))).any())
