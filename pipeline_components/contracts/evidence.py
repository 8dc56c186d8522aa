"""What evaluate measures of a candidate for the gate's checks, apart from scores."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .base import Frozen
from .verdicts import Estimate


class SliceScore(Frozen):
    """The primary metric on one slice; ``None`` where too few rows, or where it is undefined."""

    name: str
    rows: int
    candidate: Estimate | None
    baseline: Estimate | None
    kind: Literal["declared", "found"] = "declared"
    where: str = Field("", description="the expression, or the conditions a tree has found")
    gain: Estimate | None = Field(
        None,
        description="paired, on the slice's rows alone; positive where the candidate is better",
    )
    allowed: float | None = Field(
        None, description="how much worse is allowed, in the metric's unit; at least 0"
    )
    p_value: float | None = Field(
        None, description="one-sided, of the candidate being worse by no more than ``allowed``"
    )


class CalibrationBin(Frozen):
    """Rows whose probabilities are alike."""

    rows: int
    predicted: float = Field(description="mean probability")
    observed: float = Field(description="share of rows of the class")


class Calibration(Frozen):
    """How far probabilities are from frequencies; ``low`` and ``high`` of the candidate's error."""

    candidate: Estimate = Field(description="expected calibration error")
    baseline: Estimate | None
    bins: tuple[CalibrationBin, ...] = Field(description="of the candidate")


class GroupScore(Frozen):
    """One metric of the candidate on one group of rows."""

    group: str = Field(description="the value of the column, as text")
    rows: int
    value: float | None = Field(description="None where the group is too small or has no such rows")


class FairnessGap(Frozen):
    """How far apart the groups of one column are."""

    by: str
    metric: str
    groups: tuple[GroupScore, ...] = Field(description="the largest first")
    gap: Estimate | None = Field(
        description="largest difference between two assessed groups; None with fewer than two"
    )


class Disturbed(Frozen):
    """The primary metric on a sample of the holdout when its inputs are disturbed."""

    what: str = Field(description="``noise``, or the name of a feature that is missing everywhere")
    rows: int
    before: float
    after: float | None = Field(description="None where the predictions were not finite")
    worse: float | None = Field(
        description="how much worse, in the metric's unit; negative: better"
    )
