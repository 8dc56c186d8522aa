"""Statistics of a column, gathered while a span is read, in memory that does not grow with it."""

from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from everfit.contracts.errors import SourceError
from everfit.contracts.messages.statistics import QUANTILES, ColumnStatistics
from everfit.contracts.spec.table_schema import ColumnType
from everfit.data.tables.row_digests import number_hashes, salt_of, text_hashes
from everfit.ml.profiles.bins import WORKING, Cells, cells_of_values, merge_cells, quantile, to_bins
from everfit.ml.profiles.hash_sample import HashSample

Array = np.ndarray[Any, np.dtype[Any]]

CATEGORIES = 256
"""Texts listed with their counts; a column with no more of them is listed completely."""

DISTINCT = 16_384
"""Distinct values counted exactly; beyond, estimated from a sample of hashes."""

_COUNTED = 20_000
_FREQUENT = 4 * CATEGORIES
_PARTS = 16
_TEXT = 80


def column_type(kind: Any) -> ColumnType:
    """The column type of an Arrow type; ``float`` for a column that is null throughout.

    Raises
    ------
    SourceError
        If no column type fits.
    """
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_boolean(kind):
        return "boolean"
    if pa.types.is_integer(kind):
        return "integer"
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        return "float"
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return "timestamp"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "string"
    raise SourceError(
        "VALIDATE-TYPE",
        "a column",
        "a column is a number, text, boolean or timestamp",
        f"its type is {kind}",
        "Leave it out with source.columns",
    )


class ColumnProfile:
    """Statistics of one column, taken in piece by piece.

    Parameters
    ----------
    name : str
    kind : pyarrow.DataType
    period : tuple of datetime or None
        Start and exclusive end of the span's period, for timestamps.
    """

    def __init__(
        self, name: str, kind: Any, period: tuple[datetime, datetime] | None = None
    ) -> None:
        self.name, self.type = name, column_type(kind)
        self._salt = salt_of(name)
        self._period = period
        self._rows = self._nulls = self._nans = self._infinities = 0
        self._distinct = HashSample(DISTINCT, unique=True)
        self._outside = 0
        # Numbers
        self._parts: list[Cells] = []
        self._count, self._mean, self._m2 = 0, 0.0, 0.0
        self._min, self._max = math.inf, -math.inf
        # Texts
        self._counter: Counter[str] = Counter()
        self._pruned = False

    def add(self, column: Any) -> Array:
        """Take in the next piece and return the hash of each of its values, 0 where missing.

        Parameters
        ----------
        column : pyarrow.Array, length n

        Returns
        -------
        ndarray of uint64, shape (n,)
        """
        self._rows += len(column)
        self._nulls += column.null_count
        if column.null_count == len(column):
            return np.zeros(len(column), dtype=np.uint64)
        hashes = self._texts(column) if self.type == "string" else self._numbers(column)
        if column.null_count:
            spread = np.zeros(len(column), dtype=np.uint64)
            spread[column.is_valid().to_numpy(zero_copy_only=False)] = hashes
            return spread
        return hashes

    def _numbers(self, column: Any) -> Array:
        values = numeric_values(column.drop_null() if column.null_count else column, self.type)
        hashes = number_hashes(values, self._salt)
        finite, finite_hashes = values, hashes
        if values.dtype.kind == "f":
            usable = np.isfinite(values)
            if not usable.all():
                nan = np.isnan(values)
                nans = int(nan.sum())
                self._nans += nans
                hashes[nan] = 0
                self._infinities += len(values) - nans - int(usable.sum())
                finite, finite_hashes = values[usable], hashes[usable]
        if not len(finite):
            return hashes
        ordered = np.sort(finite)
        if ordered.dtype.kind == "f":
            ordered += 0.0
        starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        unique, counts = ordered[starts], np.diff(np.append(starts, len(ordered)))
        few = 4 * len(unique) < len(finite)
        self._distinct.add(number_hashes(unique, self._salt) if few else finite_hashes)
        if self.type == "timestamp":
            if self._period:
                low, high = (_microseconds(end) for end in self._period)
                within = np.searchsorted(ordered, high) - np.searchsorted(ordered, low)
                self._outside += len(ordered) - int(within)
            unique = unique / 1e6
        self._parts.append(cells_of_values(unique, counts))
        if len(self._parts) == _PARTS:
            self._parts = [merge_cells(self._parts, WORKING)]
        self._moments(unique.astype(np.float64), counts)
        return hashes

    def _moments(self, values: Array, counts: Array) -> None:
        """Chan's parallel update of mean and variance, and the extremes."""
        self._min = min(self._min, float(values[0]))
        self._max = max(self._max, float(values[-1]))
        count = int(counts.sum())
        with np.errstate(over="ignore", invalid="ignore"):
            weights = counts.astype(np.float64)
            mean = float(np.sum(values * weights)) / count  # not np.dot: its threads change bits
            apart = values - mean
            apart *= apart
            apart *= weights
            m2 = float(np.sum(apart))
            gap = np.float64(mean) - self._mean
            total = self._count + count
            self._mean += float(gap * (count / total))
            self._m2 += m2 + float(gap * gap * (self._count * (count / total)))
        self._count = total

    def _texts(self, column: Any) -> Array:
        encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        indices = encoded.indices.drop_null().to_numpy(zero_copy_only=False)
        dictionary = encoded.dictionary.cast(pa.large_string())
        counts = np.bincount(indices, minlength=len(dictionary))
        hashes = self._text_hashes(dictionary)
        used = np.flatnonzero(counts)
        self._distinct.add(hashes[used])
        if len(used) > _COUNTED:
            # Too many to list them all: the frequent ones are enough.
            self._pruned = True
            used = used[np.lexsort((hashes[used], -counts[used]))[:_FREQUENT]]
        if len(used) < len(dictionary):
            texts = dictionary.take(pa.array(used)).to_pylist()
        else:
            texts = dictionary.to_pylist()
        for text, count in zip(texts, counts[used].tolist(), strict=True):
            self._counter[text] += count
        if len(self._counter) > _COUNTED:
            self._pruned = True
            kept = sorted(self._counter.items(), key=lambda item: (-item[1], item[0]))
            self._counter = Counter(dict(kept[:_FREQUENT]))
        answer: Array = hashes[indices]
        return answer

    def _text_hashes(self, texts: Any) -> Array:
        """Hashes of a ``large_string`` array without nulls, shape (n,)."""
        _, offsets, data = texts.buffers()
        ends = np.frombuffer(offsets, dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
        raw = np.frombuffer(data, dtype=np.uint8) if data is not None else np.empty(0, np.uint8)
        return text_hashes(ends, raw, self._salt)

    def statistics(self) -> ColumnStatistics:
        """Everything taken in so far."""
        distinct = self._distinct.counts()[1]
        common: dict[str, Any] = {
            "name": self.name,
            "type": self.type,
            "rows": self._rows,
            "nulls": self._nulls,
            "distinct": distinct,
            "distinct_exact": self._distinct.exact,
        }
        if self.type == "string":
            return ColumnStatistics(**common, **self._category_fields())
        if not self._count:
            return ColumnStatistics(
                **common, nans=self._nans, infinities=self._infinities, outside_period=self._late
            )
        cells = merge_cells(self._parts, WORKING)
        self._parts = [cells]
        timestamp = self.type == "timestamp"
        return ColumnStatistics(
            **common,
            nans=self._nans,
            infinities=self._infinities,
            min=self._min,
            max=self._max,
            mean=finite_or_none(self._mean),
            std=finite_or_none(math.sqrt(max(self._m2 / self._count, 0.0))),
            quantiles=tuple(quantile(cells, np.array(QUANTILES)).tolist()),
            bins=to_bins(cells),
            time_min=iso_time(self._min) if timestamp else None,
            time_max=iso_time(self._max) if timestamp else None,
            outside_period=self._late,
        )

    @property
    def _late(self) -> int | None:
        return self._outside if self.type == "timestamp" and self._period else None

    def _category_fields(self) -> dict[str, Any]:
        complete = not self._pruned and len(self._counter) <= CATEGORIES
        ranked = sorted(self._counter.items(), key=lambda item: (-item[1], item[0]))
        # A rare text among very many says nothing to anybody, and may be a name or a key.
        listed = ranked if complete else [item for item in ranked[:CATEGORIES] if item[1] > 1]
        return {
            "categories": tuple((shortened(text), count) for text, count in listed),
            "categories_complete": complete,
        }


def numeric_values(column: Any, kind: ColumnType) -> Array:
    """Values of a column without nulls; timestamps as microseconds since 1970. Shape (n,)."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if kind == "timestamp":
        column = column.cast(pa.timestamp("us", tz=getattr(column.type, "tz", None)), safe=False)
        column = column.cast(pa.int64())
    elif kind == "boolean":
        column = column.cast(pa.int8())
    elif pa.types.is_decimal(column.type) or pa.types.is_float16(column.type):
        column = column.cast(pa.float64())
    elif pa.types.is_uint64(column.type):
        column = pc.cast(column, pa.float64(), safe=False)
    values: Array = column.to_numpy(zero_copy_only=False)
    return values.astype(np.float64) if values.dtype == np.float32 else values


def shortened(text: str) -> str:
    """The text itself, or the beginning of a long one with a part of its digest."""
    if len(text) <= _TEXT:
        return text
    return f"{text[:_TEXT]}…{sha256(text.encode(errors='replace')).hexdigest()[:8]}"


def finite_or_none(value: float) -> float | None:
    """None for what JSON has no word for."""
    return value if math.isfinite(value) else None


def iso_time(seconds: float) -> str:
    """ISO text of seconds since 1970, UTC; the nearest year that has one where out of reach."""
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except OverflowError:
        return "9999-12-31T23:59:59" if seconds > 0 else "0001-01-01T00:00:00"
    return moment.replace(tzinfo=None).isoformat()


def _microseconds(moment: datetime) -> int:
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
