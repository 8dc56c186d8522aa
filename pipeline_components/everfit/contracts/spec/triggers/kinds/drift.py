"""``drift``: the world has moved away from what the champion learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from everfit.contracts.errors import shortlist
from everfit.contracts.messages.trigger_facts import Evaluated, Facts, MeasuredSpan
from everfit.contracts.spec.triggers.newest_spans import (
    OfNewestSpans,
    Reading,
    evidence_of,
    states,
)
from everfit.contracts.wording import number, plain

if TYPE_CHECKING:
    from everfit.contracts.spec.pipeline import PipelineSpec

DRIFTED = {
    "loss": "the champion's loss",
    "inputs": "an input the champion depends on",
    "columns": "a column",
    "loss_or_inputs": "the champion's loss or an input it depends on",
}


class Drift(OfNewestSpans):
    """Loss or columns have moved in enough of the newest spans."""

    kind: Literal["drift"] = "drift"
    on: Literal["loss_or_inputs", "loss", "inputs", "columns"] = Field(
        "loss_or_inputs",
        description="loss: the champion's loss is worse than attainable by ``monitor.worse_by``; "
        "inputs: a column "
        "its predictions depend on has drifted; columns: any column has",
    )

    meaning: ClassVar[str] = "inputs or loss have drifted"
    signal: ClassVar[str] = "drift"

    def in_words(self, spec: PipelineSpec) -> str:
        """What moves, how far, and in how many spans."""
        monitor = spec.monitor
        by = [f"a loss {monitor.worse_by.text} higher"] if "loss" in self.on else []
        by += [f"a drift score of {plain(monitor.effect)}"] if self.on != "loss" else []
        return f"{DRIFTED[self.on]} has drifted {self.where} ({' or '.join(by)})"

    def evaluate(self, spec: PipelineSpec, facts: Facts) -> Evaluated:
        """Fire where any of what it watches is on in enough of the newest spans."""
        metric = spec.primary_metric
        spans = [span for span in facts.measured if span.state == "measured"]
        if self.on == "loss":
            spans = [span for span in spans if span.rise(metric) is not None]
        on = [any(parts) for parts in zip(*self._states(spec, spans), strict=True)]
        readings = [
            Reading(
                name=span.name,
                on=state,
                score=self._scores(metric, span),
                evidence=self._evidence(metric, span),
                extreme="loss" in self.on and _is_extreme(spec, span),
            )
            for span, state in zip(spans, on, strict=True)
        ]
        return self.conclude(f"drift: {self.on}", facts, readings)

    def _evidence(self, metric: str, span: MeasuredSpan) -> tuple[tuple[float, float], ...]:
        """Of the loss and of the columns; a drift score has surely grown where it has doubled."""
        found = [evidence_of(span.rise(metric))] if "loss" in self.on else []
        if self.on != "loss":
            score = span.columns if self.on == "columns" else span.inputs
            found.append((score, score / 2))
        return tuple(found)

    def _states(self, spec: PipelineSpec, spans: list[MeasuredSpan]) -> list[list[bool]]:
        """Of each thing watched, on or off after each span."""
        found = []
        if "loss" in self.on:
            found.append(states(_loss_reading(spec, span) for span in spans))
        if self.on != "loss":
            scores = (span.columns if self.on == "columns" else span.inputs for span in spans)
            found.append(states(_score_reading(spec, score) for score in scores))
        return found

    def _scores(self, metric: str, span: MeasuredSpan) -> str:
        parts = []
        if "loss" in self.on:
            rise = span.rise(metric)
            parts.append(rise.text if rise else "loss not known")
        if self.on == "columns":
            parts.append(f"columns {number(span.columns)}")
        elif self.on != "loss":
            parts.append(f"inputs {number(span.inputs)}")
        if self.on != "loss" and span.strongest:
            parts.append(f"drifted: {shortlist(span.strongest, 3)}")
        return ", ".join(parts)


def _loss_reading(spec: PipelineSpec, span: MeasuredSpan) -> bool | None:
    rise, worse_by = span.rise(spec.primary_metric), spec.monitor.worse_by
    return rise.switches(worse_by, worse_by.half) if rise else None


def _is_extreme(spec: PipelineSpec, span: MeasuredSpan) -> bool:
    rise = span.rise(spec.primary_metric)
    return rise is not None and rise.extreme(spec.monitor.worse_by)


def _score_reading(spec: PipelineSpec, score: float) -> bool | None:
    if score >= spec.monitor.effect:
        return True
    return False if score < spec.monitor.off_below else None
