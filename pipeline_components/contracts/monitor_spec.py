"""What a spec says of monitoring."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from .base import Frozen
from .durations import Duration
from .margins import Margin, WrittenMargin


class PredictionLog(Frozen):
    """Predictions as they were served, to be joined with labels that arrive later."""

    uri: str = Field(description="path or glob, ``s3://…``; files of logged predictions")
    key: tuple[str, ...] = Field(
        min_length=1, description="columns that name a row, here and in the source"
    )
    prediction: str = Field("prediction", description="the column that holds what was predicted")
    time: str | None = Field(None, description="the timestamp column of the log")
    format: Literal["auto", "csv", "parquet"] = Field("auto", description="auto: by suffix")


class MonitorSpec(Frozen):
    """How new spans are compared with what the champion knows."""

    level: float = Field(
        0.05, gt=0, le=0.5, description="windows without drift in which any column may alarm"
    )
    effect: float = Field(0.1, gt=0, le=1, description="smallest drift score that matters")
    until: float | None = Field(
        None, gt=0, le=1, description="drift score that ends an alarm; default: half of ``effect``"
    )
    worse_by: WrittenMargin = Field(
        Margin(value=0.05, relative=True), description="rise of the champion's loss that matters"
    )
    min_rows: int = Field(100, ge=20, description="a span of fewer rows is not compared")
    columns: tuple[Annotated[str, StringConstraints(min_length=1)], ...] | None = Field(
        None,
        description="compare only these; default: all, also those the champion does not read, "
        "whose drift is told and wakes nothing but ``drift: {on: columns}``",
    )
    labels_after: Duration | None = Field(
        None, description="labels take this long: until then the loss is an estimate"
    )
    predictions: PredictionLog | None = Field(None, description="predictions as they were served")

    @property
    def off_below(self) -> float:
        """``until``, or its default."""
        return self.until if self.until is not None else self.effect / 2

    @model_validator(mode="after")
    def _off_is_below_on(self) -> MonitorSpec:
        if self.until is not None and self.until > self.effect:
            raise ValueError("until is at most effect: it ends what effect began")
        return self
