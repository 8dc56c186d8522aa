"""A first schema from what was seen, with room to move; a person reviews it and git keeps it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from everfit.contracts.messages.statistics import ColumnStatistics, SpanStatistics
from everfit.contracts.spec.table_schema import ColumnSchema, ColumnType, TableSchema
from everfit.ml.profiles.unify_columns import unify_columns
from everfit.steps.validate.check_schema import breaks

DOMAIN = 64
"""Texts with more distinct values get no domain."""

STRAY = 0.01
"""Share of values that may be outside an inferred range or domain."""

NEW_CODES = 10
"""Room for integers, at least: counts grow, and codes are added."""


def infer_schema(statistics: Sequence[SpanStatistics]) -> TableSchema:
    """A schema that every span given keeps, and their likes will.

    Parameters
    ----------
    statistics : sequence of SpanStatistics
        Good spans, oldest first. Of one source.

    Returns
    -------
    TableSchema
        Columns in their order. A column is required where every span has it. Ranges are widened
        by half their length, of integers by ten at least, but not below zero for what was never
        negative. Low-cardinality texts get their domain. Missing values may be half as frequent
        again as seen, and 2 % more.
    """
    held = [span for span in statistics if span.rows]
    columns = {}
    for name, kind in unify_columns(held).items():
        seen = [column for span in held if (column := span.column(name))]
        columns[name] = _infer_column(kind, seen, required=len(seen) == len(held))
    return _kept_by_all(TableSchema(columns=columns), held)


def _kept_by_all(schema: TableSchema, spans: Sequence[SpanStatistics]) -> TableSchema:
    """The schema without the bounds that a span it was made from would break."""
    columns = dict(schema.columns)
    for span in spans:
        for name, expected in schema.columns.items():
            column = span.column(name)
            if column is None:
                columns[name] = columns[name].model_copy(update={"required": False})
            elif breaks(column, expected):
                columns[name] = ColumnSchema(type=columns[name].type, required=expected.required)
    return TableSchema(columns=columns)


def _infer_column(
    kind: ColumnType, seen: Sequence[ColumnStatistics], required: bool
) -> ColumnSchema:
    missing = max(column.missing for column in seen)
    fields: dict[str, Any] = {
        "type": kind,
        "required": required,
        "max_null": min(math.ceil(100 * (1.5 * missing) + 2) / 100, 1.0),
    }
    if kind in ("integer", "float"):
        ends = [(c.min, c.max) for c in seen if c.min is not None and c.max is not None]
        if ends:
            least = NEW_CODES if kind == "integer" else 0
            low, high = _widened(min(low for low, _ in ends), max(high for _, high in ends), least)
            fields |= {"min": low, "max": high, "max_outside": STRAY}
    elif kind == "string":
        domain = _domain(seen)
        if domain:
            fields |= {"domain": domain, "max_outside": STRAY}
    return ColumnSchema(**fields)


def _widened(low: float, high: float, least: float) -> tuple[float | None, float | None]:
    """Half as wide again on each side, on round numbers; None where numbers end."""
    room = max((high / 2 - low / 2) or abs(high) / 2 or 1.0, least)
    below, above = _outward(low - room, up=False), _outward(high + room, up=True)
    if low >= 0:
        below = 0.0
    if high <= 0:
        above = 0.0
    return (
        below if math.isfinite(below) else None,
        above if math.isfinite(above) else None,
    )


def _outward(value: float, up: bool) -> float:
    """The next number of two significant digits; the value itself where it has no such one."""
    if value == 0 or not math.isfinite(value):
        return value
    exponent = math.floor(math.log10(abs(value))) - 1
    if not -300 < exponent < 300:
        return value
    unit = 10.0**exponent
    digits = math.ceil(value / unit) if up else math.floor(value / unit)
    # By way of decimal text, so that it is the float a person would write.
    return float(f"{digits}e{exponent}")


def _domain(seen: Sequence[ColumnStatistics]) -> tuple[str, ...] | None:
    texts: set[str] = set()
    rows = 0
    for column in seen:
        if column.all_missing:
            continue
        if not column.categories_complete or column.categories is None:
            return None
        texts |= {text for text, _ in column.categories}
        rows += column.rows - column.nulls
    few = 0 < len(texts) <= DOMAIN and 20 * len(texts) <= rows
    # The listing shortens long texts: what it holds of them is no value of the column.
    return tuple(sorted(texts)) if few and not any("…" in text for text in texts) else None
