"""What is strange about a span seen alone."""

from __future__ import annotations

from everfit.contracts.messages.spans import Span
from everfit.contracts.messages.statistics import SpanStatistics
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.wording import percent
from everfit.steps.validate.findings import Findings, named_columns

MANY_REPEATS = 0.5
"""A larger share of repeated rows is worth a look: perhaps each was written twice."""


def check_span(
    span: Span, statistics: SpanStatistics, spec: PipelineSpec, findings: Findings
) -> None:
    """Empty, repeated or misdated rows; NaN, Inf and empty columns; columns the spec names."""
    rows = statistics.rows
    if rows == 0:
        findings.add("EMPTY-SPAN", "error", "the span has no rows")
        return
    _check_duplicates(statistics, spec, findings)
    _check_period(span, statistics, spec, findings)
    present = {column.name for column in statistics.columns}
    for name in sorted(named_columns(spec) - present):
        findings.add(
            "MISSING-COLUMN",
            "error",
            f"the pipeline needs the column {name!r}: it is not there",
            name,
            declared=True,
        )
    for column in statistics.columns:
        if column.infinities:
            findings.add(
                "INF",
                "error",
                f"{column.infinities:,} of {rows:,} values are infinite "
                f"({percent(column.infinities / rows)})",
                column.name,
            )
        if column.nans:
            findings.add(
                "NAN",
                "warning",
                f"{column.nans:,} of {rows:,} values are NaN ({percent(column.nans / rows)}); "
                "they count as missing",
                column.name,
            )
        if column.all_missing:
            findings.add("ALL-NULL", "info", f"all {rows:,} values are missing", column.name)


def _check_duplicates(statistics: SpanStatistics, spec: PipelineSpec, findings: Findings) -> None:
    if not statistics.duplicates:
        return
    share, most = statistics.duplicates / statistics.rows, spec.validation.max_duplicates
    about = "" if statistics.duplicates_exact else "about "
    message = (
        f"{about}{statistics.duplicates:,} of {statistics.rows:,} rows ({percent(share)}) "
        f"repeat an earlier row in full"
    )
    if most is not None and share > most:
        findings.add(
            "DUPLICATE-ROWS",
            "error",
            f"{message}; at most {percent(most)} may (validation.max_duplicates)",
        )
        return
    if spec.key:
        message += "; of equal keys the newest row counts"
    else:
        message += "; without a key they count as observations of their own"
    findings.add("DUPLICATE-ROWS", "warning" if share > MANY_REPEATS else "info", message)


def _check_period(
    span: Span, statistics: SpanStatistics, spec: PipelineSpec, findings: Findings
) -> None:
    column = statistics.column(spec.time) if spec.time else None
    if column is None or not column.outside_period:
        return
    share, most = column.outside_period / statistics.rows, spec.validation.max_outside_period
    message = (
        f"{column.outside_period:,} of {statistics.rows:,} rows ({percent(share)}) are dated "
        f"outside {span.period_start} to {span.period_end}: the dates run from "
        f"{column.time_min} to {column.time_max}"
    )
    if share > most:
        message += f"; at most {percent(most)} may be outside"
    findings.add("OUTSIDE-PERIOD", "error" if share > most else "info", message, column.name)
