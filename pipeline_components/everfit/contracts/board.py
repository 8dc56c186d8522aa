"""The board of a pipeline: what a page shows of it, in one small document.

It is a projection of the ledger: made anew at the end of a step, replaced in the store, and never
read to decide anything. Whoever loses it loses nothing.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from everfit.contracts.base import Digest, Frozen, PipelineName
from everfit.contracts.messages.evaluated import Evaluated
from everfit.contracts.messages.planning import Decision, RunType
from everfit.contracts.messages.verdicts import VerdictName
from everfit.contracts.spec.metric import Task

FOLDER = "boards/"
"""Where boards are in the store."""

MOST_SPANS = 60
"""The newest spans that a board shows."""

MOST_RUNS = 40
"""The newest runs that a board shows, and all of the last 30 days."""

State = Literal["asks", "broken", "worse", "drifting", "unmeasured", "new", "well"]
"""A version waits for an answer; the newest span is broken; the champion is worse than attainable;
its inputs drift; it was not measured since its promotion; there is none; none of these."""


class Serving(Frozen):
    """The champion, and its score when it was judged."""

    version: int
    since: str = Field(description="ISO time, UTC")
    run_key: Digest
    metric: str | None = Field(description="the gate's; null where the spec cannot be read")
    unit: str | None
    judged: float | None = Field(description="score on its own holdout")


class Watched(Frozen):
    """The newest span that the champion was compared on."""

    span: str
    at: str = Field(description="ISO time, UTC")
    state: Literal["measured", "broken", "too_small"]
    drifted: tuple[str, ...] = Field(description="columns, the most drifted first")
    score: float | None = Field(description="of the gate's metric; null: no labels yet")
    worse: float | None = Field(description="than when it was judged; positive: worse")
    because: str
    tested: str | None = Field(
        None,
        description="what its drift was tested at, and why; null: no rate over all pipelines",
    )


class LastVerdict(Frozen):
    """The newest decision about a run."""

    verdict: VerdictName
    at: str = Field(description="ISO time, UTC")
    run_key: Digest
    because: str


class Next(Frozen):
    """What the triggers would do now."""

    decision: Decision = Field(
        description="train: due; wait: due but held back; skip: nothing to train; idle: not due"
    )
    because: str


class FalsePromotions(Frozen):
    """The evaluation budget of a year of data."""

    used: float = Field(description="expected false promotions of all its evaluations together")
    limit: float = Field(description="``gate.false_promotions``")


class Trainings(Frozen):
    """The triggers' budget."""

    used: int
    limit: int
    per: str


class RecentCost(Frozen):
    """What the runs of the last 30 days have cost."""

    runs: int
    cpu_seconds: float
    money: str = Field("", description="the same in money; empty without a price of a CPU hour")


class Gain(Frozen):
    """What the candidate gained over its baseline on the holdout."""

    metric: str
    score: float = Field(description="of the candidate")
    baseline: float = Field(description="score of what it was compared with")
    value: float = Field(description="positive: the candidate is better; in the metric's unit")
    low: float
    high: float


class Sentence(Frozen):
    """A condition of the triggers, or what may hold a training back, as it was evaluated last."""

    evaluated: Evaluated
    holds_back: bool = Field(description="it holds a training back where it is met")


class LastEvaluation(Frozen):
    """The triggers as they were evaluated last."""

    decision: Decision
    because: str
    at: str = Field(description="ISO time, UTC")
    done: bool = Field(description="what it decided on has come to its verdict since")
    conditions: tuple[Sentence, ...] = ()


class SpanShown(Frozen):
    """A span that was read."""

    name: str
    rows: int
    seen: str = Field(description="ISO time of its first reading, UTC")


class Scored(Frozen):
    """One champion on one span."""

    span: str
    version: int
    state: Literal["measured", "broken", "too_small"]
    score: float | None = Field(description="of the gate's metric; null: no labels yet")
    attainable: float | None = Field(description="score of a fresh model; null: not known")
    drift: float = Field(description="largest drift score of a column the champion depends on")
    drifted: tuple[str, ...] = Field(description="the most drifted columns, at most six")
    because: str
    at: str = Field(description="ISO time, UTC")


class RunShown(Frozen):
    """A run and what came of it."""

    run_key: Digest
    opened: str = Field(description="ISO time, UTC")
    trigger: RunType
    verdict: VerdictName | None = Field(description="null: it came to none, or not yet")
    because: str
    decided: str | None = Field(description="ISO time, UTC")
    version: int | None
    gain: Gain | None
    span: str | None = Field(description="the newest span it was judged on")
    work: dict[str, float] = Field(
        default_factory=dict,
        description="beginning of a result's digest → CPU seconds; of the last 30 days alone",
    )


class Entry(Frozen):
    """An entry of the champion's journal."""

    version: int
    kind: Literal["promote", "refit", "override", "rollback"]
    reason: str
    person: str
    at: str = Field(description="ISO time, UTC")
    span: str | None = Field(description="the newest span that was known then")


class Answer(Frozen):
    """What a person answered about a version that waited."""

    version: int
    answer: Literal["approve", "refuse"]
    person: str
    reason: str
    at: str = Field(description="ISO time, UTC")


class Board(Frozen):
    """All that the pages show of one pipeline."""

    format: Literal[1] = 1
    pipeline: PipelineName
    at: str = Field(description="ISO time it was made at, UTC")
    state: State
    says: str = Field(description="one sentence on how it fares")
    description: str
    owner: str
    task: Task
    target: str
    metric: str
    metric_title: str
    unit: str | None
    greater_is_better: bool
    champion: Serving | None
    monitoring: Watched | None = Field(description="null: not monitored since its promotion")
    last_verdict: LastVerdict | None
    last_evaluation: LastEvaluation | None = Field(description="null: the triggers never were")
    waits_for_answer: tuple[int, ...]
    false_promotions: FalsePromotions | None
    trainings: Trainings | None
    cost: RecentCost
    effect: float = Field(description="drift score that matters: ``monitor.effect``")
    worse_by: str = Field(description="how much worse matters: ``monitor.worse_by``")
    spans: tuple[SpanShown, ...] = Field(description="the newest, oldest first")
    scores: tuple[Scored, ...] = Field(description="all champions on these spans, in their order")
    runs: tuple[RunShown, ...] = Field(description="the newest, oldest first")
    journal: tuple[Entry, ...] = Field(description="the newest entries, oldest first")
    answers: tuple[Answer, ...] = Field(description="the newest, oldest first")

    def row(self) -> Row:
        """What a list of all pipelines shows of it."""
        last = next((run for run in reversed(self.runs) if run.verdict), None)
        newest: dict[str, Scored] = {one.span: one for one in self.scores}
        shown = list(newest.values())[-MOST_IN_A_ROW:]
        evaluation = self.last_evaluation
        return Row(
            pipeline=self.pipeline,
            at=self.at,
            state=self.state,
            owner=self.owner,
            metric_title=self.metric_title,
            unit=self.unit,
            greater_is_better=self.greater_is_better,
            version=self.champion.version if self.champion else None,
            since=self.champion.since if self.champion else None,
            judged=_short(self.champion.judged) if self.champion else None,
            now=_short(self.monitoring.score) if self.monitoring else None,
            points=tuple((_short(one.score), one.version) for one in shown),
            drift=tuple(_short(one.drift / self.effect) or 0.0 for one in shown),
            measured=shown[-1].span if shown else None,
            span=self.spans[-1].name if self.spans else None,
            seen=self.spans[-1].seen if self.spans else None,
            verdict=last.verdict if last else None,
            decided=last.decided if last else None,
            gain=_three(last.gain) if last and last.gain else None,
            next=evaluation.decision if evaluation and not evaluation.done else None,
            because=evaluation.because[:MOST_LETTERS] if evaluation else "",
            waits=self.waits_for_answer,
            false_promotions=self.false_promotions,
            trainings=self.trainings,
            cost=self.cost,
        )


MOST_IN_A_ROW = 24
"""Spans in the small pictures of a row."""

MOST_LETTERS = 200


class Row(Frozen):
    """A pipeline in the list of all: under 2 kB."""

    pipeline: PipelineName
    at: str
    state: State
    owner: str
    metric_title: str
    unit: str | None
    greater_is_better: bool
    version: int | None
    since: str | None
    judged: float | None
    now: float | None
    points: tuple[tuple[float | None, int], ...] = Field(
        description="score and version, a span each"
    )
    drift: tuple[float, ...] = Field(description="drift score by what matters: 1 matters")
    measured: str | None
    span: str | None
    seen: str | None
    verdict: VerdictName | None
    decided: str | None
    gain: tuple[float, float, float] | None = Field(description="value, low, high")
    next: Decision | None
    because: str
    waits: tuple[int, ...]
    false_promotions: FalsePromotions | None
    trainings: Trainings | None
    cost: RecentCost


def board_key(pipeline: PipelineName) -> str:
    """Where the board of a pipeline is in the store."""
    return f"{FOLDER}{pipeline}.json"


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")


def _three(gain: Gain) -> tuple[float, float, float]:
    value, low, high = (float(f"{one:.4g}") for one in (gain.value, gain.low, gain.high))
    return value, low, high
