"""The state of a pipeline now: champion, monitoring, last verdict, what is next, budgets, cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from pydantic import Field

from everfit.champion.approvals import waiting
from everfit.champion.current import current_champion
from everfit.champion.runs import Filter, overview
from everfit.contracts.base import Frozen
from everfit.contracts.board import (
    FalsePromotions,
    LastVerdict,
    Next,
    RecentCost,
    Serving,
    Trainings,
    Watched,
)
from everfit.contracts.clock import moment
from everfit.contracts.errors import EverfitError, SpecError
from everfit.contracts.messages.planning import PlanRequest, Trigger
from everfit.contracts.price import Price, read_price
from everfit.contracts.spec.load import find_spec, load_spec, spec_paths
from everfit.contracts.spec.metrics import metric_unit
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.engine.context import Context
from everfit.ml.holdout_budget.policy import last_year
from everfit.ml.holdout_budget.record import sharing
from everfit.storage.ledger import Ledger
from everfit.storage.ledger.records import MonitorRecord

RECENT = timedelta(days=30)
"""Of which the cost is added up."""


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
    from everfit.steps.plan.step import Plan

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
    serving = serving_champion(ledger, pipeline, spec)
    since = Filter(since=context.clock() - RECENT)
    runs = overview(ledger, context.store, pipeline, since)
    return PipelineStatus(
        pipeline=pipeline,
        problem=problem,
        champion=serving,
        monitoring=newest_watched(
            serving, ledger.monitorings(pipeline, serving.run_key) if serving else ()
        ),
        last_verdict=last_verdict(ledger, pipeline),
        next=planned,
        waits_for_answer=tuple(record.version for record in waiting(ledger, pipeline)),
        false_promotions=false_promotions(ledger, pipeline, spec),
        trainings=recent_trainings(pipeline, spec, context),
        cost=recent_cost(
            [{one.result: one.cpu_seconds for one in run.costs} for run in runs],
            read_price(context.settings.cpu_hour_price),
        ),
    )


def serving_champion(ledger: Ledger, pipeline: str, spec: PipelineSpec | None) -> Serving | None:
    """The champion, and its score when it was judged."""
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


def newest_watched(serving: Serving | None, measured: Sequence[MonitorRecord]) -> Watched | None:
    """The newest span that the champion was compared on.

    Parameters
    ----------
    serving : Serving, optional
    measured : sequence of MonitorRecord
        Of this champion, in the order it was measured.
    """
    if serving is None or not measured:
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
        tested=newest.tested.in_words if newest.tested else None,
    )


def false_promotions(
    ledger: Ledger, pipeline: str, spec: PipelineSpec | None
) -> FalsePromotions | None:
    """The evaluation budget, as its last evaluation left it."""
    if spec is None:
        return None
    everyone = ledger.holdout_evaluations(pipeline, spec.target.name)
    evaluations, _ = sharing(everyone, pipeline)
    if not evaluations:
        return None
    last = evaluations[-1]
    used = last.alpha + sum(one.alpha for one in last_year(evaluations[:-1], last))
    return FalsePromotions(used=used, limit=spec.gate.false_promotions)


def recent_trainings(
    pipeline: str, spec: PipelineSpec | None, context: Context
) -> Trainings | None:
    """The triggers' budget, as far as it is used now."""
    from everfit.contracts.spec.durations import duration

    if spec is None or spec.triggers.budget is None:
        return None
    budget = spec.triggers.budget
    begin = context.clock() - duration(budget.per)
    opened = [
        moment(run.at) for run in context.ledger.find_runs(pipeline) if not run.trigger.is_refit
    ]
    used = sum(at is not None and at > begin for at in opened)
    return Trainings(used=used, limit=budget.trainings, per=budget.per)


def last_verdict(ledger: Ledger, pipeline: str) -> LastVerdict | None:
    """The newest decision about a run."""
    found = ledger.newest_verdict(pipeline)
    if found is None:
        return None
    return LastVerdict(
        verdict=found.verdict, at=found.at, run_key=found.run_key, because=found.because
    )


def recent_cost(works: Sequence[Mapping[str, float]], price: Price | None = None) -> RecentCost:
    """What runs have cost; work that one did and another found again counts once.

    Parameters
    ----------
    works : sequence of mapping
        A run each: result → CPU seconds.
    price : Price, optional
        Of a CPU hour.
    """
    once = {result: seconds for work in works for result, seconds in work.items()}
    seconds = round(sum(once.values()), 3)
    money = "" if price is None else price.money(seconds)
    return RecentCost(runs=len(works), cpu_seconds=seconds, money=money)
