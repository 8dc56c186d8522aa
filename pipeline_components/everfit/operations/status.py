"""The state of a pipeline now: champion, monitoring, last verdict, what is next, budgets, cost."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field

from everfit.champion.approvals import waiting
from everfit.champion.current import current_champion
from everfit.champion.runs import Filter, overview
from everfit.contracts.base import Digest, Frozen
from everfit.contracts.clock import moment
from everfit.contracts.errors import EverfitError, SpecError
from everfit.contracts.messages.planning import Decision, PlanRequest, Trigger
from everfit.contracts.messages.verdicts import VerdictName
from everfit.contracts.spec.load import find_spec, load_spec, spec_paths
from everfit.contracts.spec.metrics import metric_unit
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.engine.context import Context
from everfit.ml.holdout_budget.policy import last_year
from everfit.ml.holdout_budget.record import sharing
from everfit.steps.plan.step import Plan
from everfit.storage.ledger import Ledger
from everfit.storage.ledger.records import MonitorRecord

RECENT = timedelta(days=30)
"""Of which the cost is added up."""


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


class PipelineStatus(Frozen):
    """One pipeline."""

    pipeline: str
    problem: str | None = Field(description="why its YAML or its source cannot be read")
    champion: Serving | None
    monitoring: Watched | None = Field(description="null: not monitored since its promotion")
    last_verdict: LastVerdict | None
    next: Next | None = Field(description="null: see the problem")
    waits_for_answer: tuple[int, ...] = Field(description="versions that a person must answer for")
    false_promotions: FalsePromotions | None = Field(
        description="the evaluation budget, as its last evaluation left it"
    )
    trainings: Trainings | None = Field(description="the triggers' budget; null: none is set")
    cost: RecentCost


def pipelines(ledger: Ledger, specs: Path) -> list[str]:
    """Every pipeline with a YAML or a record, sorted."""
    return sorted({*ledger.pipelines(), *(path.stem for path in spec_paths(specs))})


def status(pipeline: str, context: Context) -> PipelineStatus:
    """Look at one pipeline; nothing is written.

    Parameters
    ----------
    pipeline : str
        One that the ledger or the folder of specs knows.
    context : Context
    """
    ledger = context.ledger
    spec, planned, problem = None, None, None
    try:
        spec = load_spec(find_spec(context.settings.pipelines, pipeline))
        swept = PlanRequest(pipeline=spec, sweep=True, trigger=Trigger(run_type="scheduled"))
        result = Plan().run(swept, context)
        planned = Next(decision=result.decision, because=result.because)
    except SpecError as error:
        problem = f"SPEC {error.located[0]}"
    except EverfitError as error:
        problem = error.line
    serving = _serving(ledger, pipeline, spec)
    verdict = ledger.newest_verdict(pipeline)
    return PipelineStatus(
        pipeline=pipeline,
        problem=problem,
        champion=serving,
        monitoring=_watched(ledger, pipeline, serving),
        last_verdict=LastVerdict(
            verdict=verdict.verdict,
            at=verdict.at,
            run_key=verdict.run_key,
            because=verdict.because,
        )
        if verdict
        else None,
        next=planned,
        waits_for_answer=tuple(record.version for record in waiting(ledger, pipeline)),
        false_promotions=_false_promotions(ledger, pipeline, spec),
        trainings=_trainings(pipeline, spec, context),
        cost=_cost(pipeline, context),
    )


def _serving(ledger: Ledger, pipeline: str, spec: PipelineSpec | None) -> Serving | None:
    head, champion = ledger.champion(pipeline), current_champion(ledger, pipeline)
    if head is None or champion is None:
        return None
    metric = spec.primary_metric if spec else None
    return Serving(
        version=head.version,
        since=head.at,
        run_key=head.run_key,
        metric=metric,
        unit=metric_unit(metric, spec.target.unit) if spec and metric else None,
        judged=champion.scores.get(metric) if metric else None,
    )


def _watched(ledger: Ledger, pipeline: str, serving: Serving | None) -> Watched | None:
    if serving is None:
        return None
    measured: list[MonitorRecord] = ledger.monitorings(pipeline, serving.run_key)
    if not measured:
        return None
    newest = measured[-1]
    rise = next(
        (one for one in newest.rises if one.metric == serving.metric and not one.estimated), None
    )
    return Watched(
        span=newest.name,
        at=newest.at,
        state=newest.state,
        drifted=newest.strongest,
        score=rise.current if rise else None,
        worse=rise.worse if rise else None,
        because=newest.because,
    )


def _false_promotions(
    ledger: Ledger, pipeline: str, spec: PipelineSpec | None
) -> FalsePromotions | None:
    if spec is None:
        return None
    everyone = ledger.holdout_evaluations(pipeline, spec.target.name)
    evaluations, _ = sharing(everyone, pipeline)
    if not evaluations:
        return None
    last = evaluations[-1]
    used = last.alpha + sum(one.alpha for one in last_year(evaluations[:-1], last))
    return FalsePromotions(used=used, limit=spec.gate.false_promotions)


def _trainings(pipeline: str, spec: PipelineSpec | None, context: Context) -> Trainings | None:
    from everfit.contracts.spec.durations import duration

    if spec is None or spec.triggers.budget is None:
        return None
    budget = spec.triggers.budget
    begin = context.clock() - duration(budget.per)
    opened = [moment(run.at) for run in context.ledger.find_runs(pipeline)]
    used = sum(at is not None and at > begin for at in opened)
    return Trainings(used=used, limit=budget.trainings, per=budget.per)


def _cost(pipeline: str, context: Context) -> RecentCost:
    """Work that one run did and another found again counts once."""
    since = Filter(since=context.clock() - RECENT)
    runs = overview(context.ledger, context.store, pipeline, since)
    work = {cost.result: cost.cpu_seconds for run in runs for cost in run.costs}
    return RecentCost(runs=len(runs), cpu_seconds=round(sum(work.values()), 3))
