"""What is remembered of a span, so that it is never read again: counts, moments, bins, categories.

Two windows are compared, and several spans become one, from these values alone (see
``everfit/ml/profiles/merge.py``): counts and categories add up exactly, bins within
their stated error.
"""

from __future__ import annotations

from pydantic import Field

from everfit.contracts.base import Digest, Frozen
from everfit.contracts.spec.table_schema import ColumnType

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
"""The quantiles kept for people; others are read off the bins."""


class Bins(Frozen):
    """A histogram of the finite values on edges that are values of the column itself.

    Bin ``i`` holds ``count[i]`` values, all of them in ``[low[i], high[i]]``; bins are in order
    and do not overlap. Where ``low == high`` it is one repeated value, counted exactly. Bins are
    narrow in the tails: one at rank ``q`` (0 to 1) holds about ``pi / 128 * sqrt(q * (1 - q))`` of
    the values, at most 1.3 %. Timestamps are seconds since 1970, booleans 0 and 1.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    count: tuple[int, ...]


class ColumnStatistics(Frozen):
    """One column of one span."""

    name: str
    type: ColumnType
    rows: int
    nulls: int
    nans: int = Field(0, description="not a number, beside the nulls")
    infinities: int = 0
    distinct: int = Field(description="distinct values that are neither null, NaN nor infinite")
    distinct_exact: bool = Field(True, description="false: an estimate, within about 2 %")
    min: float | None = Field(None, description="of the finite values; timestamps in seconds")
    max: float | None = None
    mean: float | None = None
    std: float | None = Field(None, description="population standard deviation")
    quantiles: tuple[float, ...] | None = Field(None, description="at ``QUANTILES``")
    bins: Bins | None = Field(None, description="numbers, booleans and timestamps")
    categories: tuple[tuple[str, int], ...] | None = Field(
        None, description="strings: the most frequent values with their counts, by count"
    )
    categories_complete: bool = Field(False, description="true: every value is listed, exactly")
    time_min: str | None = Field(None, description="timestamps: ISO, UTC")
    time_max: str | None = None
    outside_period: int | None = Field(
        None, description="timestamps: values outside their span's period, where it has one"
    )

    @property
    def missing(self) -> float:
        """Fraction of values that are null or NaN; 0 where there are no rows."""
        return (self.nulls + self.nans) / self.rows if self.rows else 0.0

    @property
    def all_missing(self) -> bool:
        """Whether no row has a value (an empty column of an empty table too)."""
        return self.nulls + self.nans == self.rows


class SpanStatistics(Frozen):
    """One span, in one pass over its rows."""

    digest: Digest = Field(description="of the span; of several spans: of their digests")
    rows: int
    duplicates: int = Field(description="rows that repeat an earlier one of the span in full")
    duplicates_exact: bool = Field(True, description="false: estimated from a share of the rows")
    columns: tuple[ColumnStatistics, ...] = Field(description="in the table's order")

    def column(self, name: str) -> ColumnStatistics | None:
        """The column of that name, or None."""
        return next((column for column in self.columns if column.name == name), None)
