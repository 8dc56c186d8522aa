"""The curated schema of a pipeline's table: ``dags/pipelines/<name>.schema.yaml``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from everfit.contracts.base import Frozen

ColumnType = Literal["integer", "float", "string", "boolean", "timestamp"]


class ColumnSchema(Frozen):
    """What every good span holds in one column."""

    type: ColumnType = Field(description="as snapshots store it")
    required: bool = Field(True, description="a span without the column is an anomaly")
    max_null: float = Field(1.0, ge=0, le=1, description="largest fraction of missing values")
    min: float | None = Field(None, description="smallest value; numbers only")
    max: float | None = Field(None, description="largest value; numbers only")
    max_outside: float = Field(
        0.0, ge=0, le=1, description="fraction of values allowed outside min, max or domain"
    )
    domain: tuple[str, ...] | None = Field(None, description="the known categories; strings only")


class TableSchema(Frozen):
    """Column name → what it must hold; columns not listed are extra."""

    columns: dict[str, ColumnSchema] = Field(description="column → its rules")
    allow_extra: bool = Field(True, description="false makes an extra column an error")
