"""The gate's part of a spec: what better means."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from everfit.contracts.base import Frozen
from everfit.contracts.spec.durations import Duration
from everfit.contracts.spec.expression import parse_expression
from everfit.contracts.spec.margins import Intention, Margin, RequiredGain, WrittenMargin

GroupMetric = Literal[
    "selection_rate", "true_positive_rate", "false_positive_rate", "accuracy", "mean_error", "mae"
]
"""Compared between groups: the first three of a binary target, the last two of a regression."""

ImportPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$")]


class SliceSpec(Frozen):
    """A named subset of rows that is judged on its own."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")] = Field(
        description="as reports call it"
    )
    where: str = Field(description="expression; rows where it is true")
    min_rows: int = Field(200, ge=1, description="with fewer it is not assessed")

    @field_validator("where")
    @classmethod
    def _parses(cls, text: str) -> str:
        parse_expression(text)
        return text


class Limit(Frozen):
    """An absolute bound on a metric of the candidate."""

    min: float | None = Field(None, description="smallest score allowed")
    max: float | None = Field(None, description="largest score allowed")


class FairnessSpec(Frozen):
    """How far groups of rows may lie apart."""

    by: str = Field(min_length=1, max_length=200, description="the column that names the group")
    metric: GroupMetric = Field(
        description="compared between groups; ``selection_rate``, ``true_positive_rate`` and "
        "``false_positive_rate`` of a binary target, ``accuracy`` of any class, ``mean_error`` "
        "and ``mae`` of a number"
    )
    max_gap: float = Field(
        gt=0, allow_inf_nan=False, description="largest difference between two groups allowed"
    )
    min_rows: int = Field(
        100,
        ge=10,
        description="smaller groups are not assessed; of the two rates, groups with fewer positive "
        "or negative rows",
    )


class StabilitySpec(Frozen):
    """How much a small change of the inputs may worsen the predictions."""

    noise: float = Field(
        0.01, gt=0, le=0.5, description="of each number's own standard deviation, added to it"
    )
    worse_by: WrittenMargin = Field(
        Margin(value=0.1, relative=True),
        description="how much worse the primary metric may get by that, ``10%`` or 0.5",
    )


class WhenDecayed(Frozen):
    """What is asked of a candidate where the champion has surely decayed."""

    superior_by: WrittenMargin | None = Field(
        None, description="promote only where it is shown to be better by this"
    )
    not_worse_than: WrittenMargin | None = Field(
        None, description="promote where it is shown not to be worse by more than this, ``0%``"
    )
    share: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="part of what evaluated time brings to the evaluation budget that is kept for "
        "decayed champions; what time without an evaluation brings is theirs in any case",
    )

    @model_validator(mode="after")
    def _one_intention(self) -> WhenDecayed:
        if (self.superior_by is None) == (self.not_worse_than is None):
            raise ValueError("when_decayed declares either superior_by or not_worse_than")
        return self

    @property
    def margin(self) -> Margin:
        """The difference that matters, whichever intention declares it."""
        margin = self.superior_by or self.not_worse_than
        assert margin is not None  # the spec holds exactly one of them
        return margin

    @property
    def intention(self) -> Intention:
        """Which of the two is declared."""
        return "not_worse_than" if self.superior_by is None else "superior_by"


class GateSpec(Frozen):
    """What better means. There is no default: a pipeline without a gate is refused."""

    metric: str | None = Field(None, description="primary metric; default by task")
    superior_by: WrittenMargin | None = Field(
        None,
        description="promote only where the candidate is shown to be better by this, ``1%`` or 0.5",
    )
    not_worse_than: WrittenMargin | None = Field(
        None, description="promote where the candidate is shown not to be worse by more than this"
    )
    effect: WrittenMargin | None = Field(
        None,
        description="a gain worth finding: plan says whether the holdout can detect it; default "
        "twice ``superior_by``, and for ``not_worse_than`` that of an equal model",
    )
    when_decayed: WhenDecayed | None = Field(
        None,
        # As if there were no such field: a spec without it is the same as before there was one.
        exclude_if=lambda asked: asked is None,
        description="asked instead where monitoring has surely found the champion worse than "
        "attainable, by the rule of the ``decay`` trigger",
    )
    confidence: float = Field(0.95, gt=0.5, lt=1, description="of every interval that is shown")
    false_promotions: float = Field(
        0.05,
        gt=0,
        le=1,
        description="promotions a year, at most, of candidates that are no better: the evaluation "
        "budget, which all evaluations on holdouts share",
    )
    span_lasts: Duration = Field(
        "30d",
        description="how long a span lasts, up to when it was first seen, where neither its name "
        "nor its rows tell",
    )
    baseline: Literal["mean", "median", "most_frequent", "prior"] = Field(
        description="the dummy that a first candidate must beat"
    )
    min_rows: int = Field(100, ge=10, description="fewer holdout rows: hold")
    worst_loss: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="what a bad row that nobody has seen may lose, as a multiple of the "
        "candidate's mean loss, ``100`` say: hold where too few rows are known to rule out that "
        "such rows undo the gain; default: only a warning",
    )
    limits: dict[str, Limit] = Field(default_factory=dict, description="metric → absolute bounds")
    slice_worse_by: WrittenMargin | None = Field(
        None,
        description="a slice blocks where the candidate is significantly worse on it by more than "
        "this; default the size of ``superior_by`` or ``not_worse_than``",
    )
    find_slices: bool = Field(
        True, description="search for slices that the candidate is worse on, beside those declared"
    )
    calibration: float | None = Field(
        None, gt=0, lt=1, description="largest expected calibration error allowed; of classes"
    )
    fairness: tuple[FairnessSpec, ...] = Field((), description="gaps between groups of rows")
    stability: StabilitySpec | None = Field(
        None, description="makes what is otherwise a warning block a promotion"
    )
    max_latency_ms: float | None = Field(
        None, gt=0, description="largest 95th percentile of the latency of one row's prediction"
    )
    max_size_mb: float | None = Field(None, gt=0, description="largest model file, in 10^6 bytes")
    checks: tuple[ImportPath, ...] = Field(
        (), description="import paths of your own checks (docs/how-to/own_checks.md)"
    )
    mode: Literal["enforce", "observe"] = Field(
        "enforce", description="observe: decide and record, and never promote by itself"
    )
    approval: Literal["none", "required"] = Field(
        "none", description="required: a person confirms each promotion first"
    )

    @model_validator(mode="after")
    def _one_intention(self) -> GateSpec:
        if (self.superior_by is None) == (self.not_worse_than is None):
            raise ValueError("a gate declares either superior_by or not_worse_than")
        if self.mode == "observe" and self.approval == "required":
            raise ValueError("mode observe promotes nothing, so there is nothing to approve")
        return self

    @property
    def margin(self) -> Margin:
        """The difference that matters, whichever intention declares it."""
        margin = self.superior_by or self.not_worse_than
        assert margin is not None  # the spec holds exactly one of them
        return margin

    @property
    def intention(self) -> Intention:
        """Which of the two is declared."""
        return "not_worse_than" if self.superior_by is None else "superior_by"

    def asks(self, decayed: bool = False) -> GateSpec | WhenDecayed:
        """What declares intention and margin: ``when_decayed`` of a decayed champion, else this."""
        return self.when_decayed if decayed and self.when_decayed else self

    def required_gain(self, baseline_score: float, decayed: bool = False) -> RequiredGain:
        """What is required of the gain, in the metric's unit.

        Parameters
        ----------
        baseline_score : float
            A relative margin is a share of it.
        decayed : bool
            Whether the champion has surely decayed: ``when_decayed`` counts.
        """
        asks = self.asks(decayed)
        return RequiredGain(asks.intention, asks.margin.of(baseline_score))
