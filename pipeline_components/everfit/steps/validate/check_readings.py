"""What reading a span has shown of its columns: cells that could not be read, types in doubt."""

from __future__ import annotations

from collections.abc import Sequence

from everfit.contracts.messages.readings import ColumnReading
from everfit.contracts.messages.statistics import ColumnStatistics, SpanStatistics
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.wording import percent
from everfit.data.tables.nearly_unique import is_nearly_unique
from everfit.steps.validate.findings import Findings

_CODES = {
    "unreadable": "UNREADABLE",
    "looks_like": "LOOKS-LIKE",
    "read_as": "READ-AS",
    "exact": "READ-AS",
}


def check_readings(
    readings: Sequence[ColumnReading], spec: PipelineSpec, findings: Findings
) -> None:
    """Nothing is retyped, and no cell is missing, without a word.

    Parameters
    ----------
    readings : sequence of ColumnReading
        Of one span.
    """
    most = spec.validation.max_unreadable
    for reading in readings:
        message = f"{reading.message}. {reading.todo}" if reading.todo else reading.message
        code = _CODES[reading.kind]
        if code == "READ-AS":
            findings.add(code, "info", message, reading.column)
        elif code == "UNREADABLE" and reading.share > most:
            findings.add(
                code,
                "error",
                f"{message}. {percent(reading.share)} is more than validation.max_unreadable "
                f"({percent(most)})",
                reading.column,
            )
        else:
            findings.add(code, "warning", message, reading.column)


def check_distinct(statistics: SpanStatistics, spec: PipelineSpec, findings: Findings) -> None:
    """Texts that hardly repeat: free text, or the id of a row."""
    apart = {*spec.hidden_columns, *spec.entity, *spec.key, spec.time}
    for column in statistics.columns:
        if column.name not in apart and _hardly_repeats(column):
            findings.add(
                "NEARLY-UNIQUE",
                "info",
                f"{column.distinct:,} different texts in {column.rows - column.nulls:,} values: "
                "free text or an id, of which models see nothing. List it in features.drop, or "
                "derive from it what matters",
                column.name,
            )


def _hardly_repeats(column: ColumnStatistics) -> bool:
    return column.type == "string" and is_nearly_unique(column.distinct, column.rows - column.nulls)
