"""What a spec says of monitoring."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from everfit.contracts.base import Frozen
from everfit.contracts.spec.durations import Duration
from everfit.contracts.spec.margins import Margin, WrittenMargin
from everfit.contracts.wording import percent, plain


def risen_share(share: float, effect: float) -> float:
    """A share so large that the drift score of its rise is ``effect``.

    Parameters
    ----------
    share : float
        Before, in (0, 1).
    effect : float
        Jensen-Shannon distance of a flag times the square root of 8.
    """
    low, high = share, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if _score(share, middle) >= effect else (middle, high)
    return high


def _score(before: float, after: float) -> float:
    total = 0.0
    for p, q in ((before, after), (1 - before, 1 - after)):
        half = (p + q) / 2
        total += sum(x * math.log(x / half) for x in (p, q) if x > 0)
    return math.sqrt(8 * max(total, 0.0) / 2)


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
    across_pipelines: float | None = Field(
        None,
        gt=0,
        le=0.5,
        description="one rate for all pipelines of the ledger: false drift windows expected per "
        "round, which is one window of each pipeline; default: every window on its own, at "
        "``level``",
    )
    effect: float = Field(
        0.1,
        gt=0,
        le=1,
        description="smallest drift score that matters, in standard deviations: 0.1 is a mean that "
        "moves by a tenth of one, a category of 10 % of the rows that becomes 13 %, missing values "
        "that go from 2 % to 4 %",
    )
    until: float | None = Field(
        None, gt=0, le=1, description="drift score that ends an alarm; default: half of ``effect``"
    )
    worse_by: WrittenMargin = Field(
        Margin(value=0.05, relative=True),
        description="what matters of how much worse the champion is than attainable",
    )
    decay_level: float | None = Field(
        0.05,
        gt=0,
        le=0.5,
        description="champions that are no worse than attainable and may be found worse by chance "
        "on any span of their lives; null: 5 % of the spans of each",
    )
    attainable: bool = Field(
        True,
        description="compare the champion's loss with that of its own recipe fitted afresh on the "
        "spans before, one fit a span; false: with its loss when it was judged",
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
    def effect_in_words(self) -> str:
        """What ``effect`` means of numbers, of categories and of missing values."""
        return (
            f"a mean that moves by {plain(self.effect)} standard deviations, a category of 10 % of "
            f"the rows that becomes {percent(risen_share(0.1, self.effect))}, missing values that "
            f"go from 2 % to {percent(risen_share(0.02, self.effect))}"
        )

    @property
    def off_below(self) -> float:
        """``until``, or its default."""
        return self.until if self.until is not None else self.effect / 2

    @model_validator(mode="after")
    def _off_is_below_on(self) -> MonitorSpec:
        if self.until is not None and self.until > self.effect:
            raise ValueError("until is at most effect: it ends what effect began")
        return self
