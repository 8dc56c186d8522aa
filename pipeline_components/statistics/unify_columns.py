"""One type per column over several spans."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline_components.contracts.statistics import SpanStatistics
from pipeline_components.contracts.table_schema import ColumnType


def unify_columns(spans: Iterable[SpanStatistics]) -> dict[str, ColumnType]:
    """Column → the type that holds the values of every span, in order of first appearance.

    Integers and floats make floats, booleans and numbers floats, anything else unlike strings. A
    column without a value says nothing, unless no span has one.
    """
    types: dict[str, ColumnType] = {}
    empty: dict[str, bool] = {}
    for span in spans:
        for column in span.columns:
            name = column.name
            if name not in types or (empty[name] and not column.all_missing):
                types[name], empty[name] = column.type, column.all_missing
            elif not column.all_missing:
                types[name] = join_types(types[name], column.type)
    return types


def join_types(one: ColumnType, other: ColumnType) -> ColumnType:
    """The narrowest type that holds the values of both."""
    if one == other:
        return one
    return "float" if {one, other} <= {"integer", "float", "boolean"} else "string"
