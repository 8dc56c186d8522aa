"""``decay``: the champion scores worse than a fresh model would."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from everfit.contracts.messages.trigger_facts import Evaluated, Facts, MeasuredSpan
from everfit.contracts.spec.margins import Margin, WrittenMargin
from everfit.contracts.spec.metrics import metric_title
from everfit.contracts.spec.triggers.newest_spans import (
    OfNewestSpans,
    Reading,
    evidence_of,
    states,
)

if TYPE_CHECKING:
    from everfit.contracts.spec.pipeline import PipelineSpec


class Decay(OfNewestSpans):
    """The champion's score on spans it has not seen is worse than attainable."""

    kind: Literal["decay"] = "decay"
    metric: str | None = Field(None, description="default: the gate's")
    worse_by: WrittenMargin = Field(
        Margin(value=0.05, relative=True), description="switches on at this much, ``5%`` or 0.5"
    )
    until: WrittenMargin | None = Field(
        None, description="switches off below this much; default: half of ``worse_by``"
    )

    meaning: ClassVar[str] = "the champion is worse than a fresh model would be"
    signal: ClassVar[str] = "decay"

    @model_validator(mode="after")
    def _off_is_below_on(self) -> Decay:
        same = self.until and self.until.relative == self.worse_by.relative
        if same and self.until and self.until.value > self.worse_by.value:
            raise ValueError("until is at most worse_by: it switches off what worse_by switched on")
        return self

    @property
    def off_below(self) -> Margin:
        """``until``, or its default."""
        return self.until or self.worse_by.half

    @property
    def metrics(self) -> tuple[str, ...]:
        """Its own, where it has one."""
        return (self.metric,) if self.metric else ()

    def in_words(self, spec: PipelineSpec) -> str:
        """The metric, the margin, and in how many spans."""
        metric = metric_title(self.metric or spec.primary_metric)
        return (
            f"the champion's {metric} is worse than attainable by {self.worse_by.text} {self.where}"
        )

    def evaluate(self, spec: PipelineSpec, facts: Facts) -> Evaluated:
        """Fire where the score is worse by the margin in enough of the newest spans."""
        metric = self.metric or spec.primary_metric
        condition = f"decay: {metric} worse by {self.worse_by.text}"
        return self.conclude(condition, facts, self.readings(metric, facts.measured))

    def readings(self, metric: str, spans: Sequence[MeasuredSpan]) -> list[Reading]:
        """What it makes of each span whose loss is known by labels.

        Parameters
        ----------
        metric : str
        spans : sequence of MeasuredSpan
            Newer than the champion, oldest first.
        """
        measured = (span for span in spans if span.state == "measured")
        found = [(span, rise) for span in measured if (rise := span.rise(metric)) is not None]
        on = states(rise.switches(self.worse_by, self.off_below) for _, rise in found)
        return [
            Reading(
                name=span.name,
                on=state,
                score=rise.text,
                evidence=(evidence_of(rise),),
                extreme=rise.extreme(self.worse_by),
            )
            for (span, rise), state in zip(found, on, strict=True)
        ]
