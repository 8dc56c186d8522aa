"""One type per column over several spans."""

from __future__ import annotations

from collections.abc import Iterable

from everfit.contracts.messages.statistics import ColumnStatistics, SpanStatistics
from everfit.contracts.spec.table_schema import ColumnType


def unify_columns(spans: Iterable[SpanStatistics]) -> dict[str, ColumnType]:
    """Column → the type that holds the values of every span, in order of first appearance.

    Integers and floats make floats, booleans and numbers floats, anything else unlike strings;
    booleans written as 1 and 0 in some spans are booleans. A column without a value says nothing,
    unless no span has one.
    """
    spans = list(spans)
    types: dict[str, ColumnType] = {}
    empty: dict[str, bool] = {}
    for span in spans:
        for column in span.columns:
            name = column.name
            if name not in types or (empty[name] and not column.all_missing):
                types[name], empty[name] = column.type, column.all_missing
            elif not column.all_missing:
                types[name] = join_types(types[name], column.type)
    return types | dict.fromkeys(_booleans(spans), "boolean")


def are_truths(column: ColumnStatistics) -> bool:
    """Whether the values are booleans, or nothing but 1 and 0."""
    return column.type == "boolean" or (
        column.type == "integer" and column.min in (0, 1) and column.max in (0, 1)
    )


def _booleans(spans: Iterable[SpanStatistics]) -> set[str]:
    """Columns that are booleans in some spans and nothing but 1 and 0 in the others."""
    some: set[str] = set()
    others: set[str] = set()
    for span in spans:
        for column in span.columns:
            if column.all_missing:
                continue
            if column.type == "boolean":
                some.add(column.name)
            if not are_truths(column):
                others.add(column.name)
    return some - others


def join_types(one: ColumnType, other: ColumnType) -> ColumnType:
    """The narrowest type that holds the values of both."""
    if one == other:
        return one
    return "float" if {one, other} <= {"integer", "float", "boolean"} else "string"
