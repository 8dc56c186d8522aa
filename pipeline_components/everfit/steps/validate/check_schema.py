"""What a span does not keep of the schema its owner curated."""

from __future__ import annotations

import numpy as np

from everfit.contracts.messages.statistics import ColumnStatistics, SpanStatistics
from everfit.contracts.spec.table_schema import ColumnSchema, TableSchema
from everfit.contracts.wording import percent
from everfit.ml.profiles.bins import from_bins, rank
from everfit.ml.profiles.column_profile import shortened
from everfit.ml.profiles.unify_columns import are_truths
from everfit.steps.validate.findings import Findings, some_of


def check_schema(statistics: SpanStatistics, schema: TableSchema, findings: Findings) -> None:
    """Columns, types, missing values, ranges and domains."""
    if not statistics.rows:
        return
    for name, expected in schema.columns.items():
        column = statistics.column(name)
        if column is None:
            if expected.required:
                findings.add(
                    "MISSING-COLUMN",
                    "error",
                    "the schema requires the column: it is not there",
                    name,
                    declared=True,
                )
            continue
        _check_column(column, expected, findings)
    for column in statistics.columns:
        if column.name not in schema.columns:
            findings.add(
                "EXTRA-COLUMN",
                "warning" if schema.allow_extra else "error",
                "the schema does not know the column",
                column.name,
                declared=True,
            )


def _check_column(column: ColumnStatistics, expected: ColumnSchema, findings: Findings) -> None:
    if column.missing > expected.max_null:
        findings.add(
            "NULL-JUMP",
            "error",
            f"{percent(column.missing)} of {column.rows:,} values are missing; the schema allows "
            f"{percent(expected.max_null)}",
            column.name,
            declared=True,
        )
    if column.all_missing:
        return
    if not fits(column, expected.type):
        findings.add(
            "TYPE-CHANGE",
            "error",
            f"the schema says {expected.type}; the span has {column.type}",
            column.name,
            declared=True,
        )
        return
    if column.type in ("integer", "float"):
        _check_range(column, expected, findings)
    if column.type == "string" and expected.domain is not None:
        _check_domain(column, expected.domain, expected.max_outside, findings)


def fits(column: ColumnStatistics, expected: str) -> bool:
    """Whether values are of a type: integers are floats, whole floats integers, 1 and 0 boolean."""
    if column.type == expected or (column.type == "integer" and expected == "float"):
        return True
    if {column.type, expected} == {"boolean", "integer"}:
        return are_truths(column)
    if column.type == "float" and expected == "integer" and column.bins:
        return all(
            low == high and low.is_integer()
            for low, high in zip(column.bins.low, column.bins.high, strict=True)
        )
    return False


def breaks(column: ColumnStatistics, expected: ColumnSchema) -> bool:
    """Whether a span with this column would be quarantined for it."""
    found = Findings("")
    _check_column(column, expected, found)
    return bool(found.errors)


def _check_range(column: ColumnStatistics, expected: ColumnSchema, findings: Findings) -> None:
    low, high = expected.min, expected.max
    if column.bins is None or column.min is None or column.max is None:
        return
    if (low is None or column.min >= low) and (high is None or column.max <= high):
        return
    outside = _count_outside(column, low, high)
    share = outside / (column.rows - column.nulls)
    if share <= expected.max_outside:
        return
    findings.add(
        "OUT-OF-RANGE",
        "error",
        f"{outside:,} values ({percent(share)}) are outside {_range(low, high)}; they run from "
        f"{column.min:g} to {column.max:g}, and {percent(expected.max_outside)} may be outside",
        column.name,
        declared=True,
    )


def _count_outside(column: ColumnStatistics, low: float | None, high: float | None) -> int:
    """Finite values outside, at least one where the extremes are; exact in single-value bins."""
    assert column.bins is not None and column.min is not None and column.max is not None
    cells = from_bins(column.bins)
    count = 0.0
    if low is not None and column.min < low:
        count += max(float(rank(cells, np.array([np.nextafter(low, -np.inf)]))[0]), 1.0)
    if high is not None and column.max > high:
        count += max(float(sum(column.bins.count) - rank(cells, np.array([high]))[0]), 1.0)
    return round(count)


def _range(low: float | None, high: float | None) -> str:
    if low is None:
        return f"… to {high:g}"
    return f"{low:g} to …" if high is None else f"{low:g} to {high:g}"


def _check_domain(
    column: ColumnStatistics, domain: tuple[str, ...], most: float, findings: Findings
) -> None:
    known = {shortened(text) for text in domain}
    present = column.rows - column.nulls
    listed = column.categories or ()
    new = [(text, count) for text, count in listed if text not in known]
    # What is too rare to be listed is taken as unknown: there are more texts than any domain has.
    outside = sum(count for _, count in new) + present - sum(count for _, count in listed)
    if not outside:
        return
    share = outside / present
    examples = f", such as {some_of(text for text, _ in new)}" if new else ""
    findings.add(
        "NEW-CATEGORY",
        "error" if share > most else "info",
        f"{outside:,} values ({percent(share)}) are outside the schema's domain{examples}; "
        f"{percent(most)} may be",
        column.name,
        declared=True,
    )
