"""The door of evaluate: tables and models in; scores, pictures, losses and a model card out."""

from __future__ import annotations

import logging
from typing import Any

from pipeline_components.context import Context
from pipeline_components.contracts.gate_spec import StabilitySpec
from pipeline_components.contracts.requests import (
    EvaluateRequest,
    EvaluateResult,
    PrepareResult,
    TrainResult,
)
from pipeline_components.contracts.steps import Order
from pipeline_components.door import Telling, Upstream

log = logging.getLogger(__name__)

RESULT = EvaluateResult
CACHED = True


def request(order: Order, upstream: Upstream, context: Context) -> EvaluateRequest:  # noqa: ARG001
    """Score what was trained, on what was held out, against the champion pinned by plan."""
    spec, gate = order.pipeline, order.pipeline.gate
    prepared = upstream.one("prepare", PrepareResult)
    return EvaluateRequest(
        run_key=prepared.run_key,
        pipeline=spec.name,
        task=spec.task,
        metric=spec.primary_metric,
        confidence=gate.confidence,
        baseline=gate.baseline,
        target=spec.target.name,
        classes=prepared.classes,
        positive=spec.target.positive,
        train=prepared.train,
        holdout=prepared.holdout,
        columns=prepared.columns,
        time=spec.time,
        entity=spec.entity,
        slices=spec.slices,
        models=upstream.all("train", TrainResult),
        champion=upstream.champion(prepared.run_key),
        seed=spec.train.seed,
        threads=spec.train.threads,
        intention=gate.intention,
        margin=gate.margin,
        trusted=tuple(family.estimator for family in spec.train.families if family.estimator),
        description=spec.description,
        dropped=prepared.dropped,
        slice_worse_by=gate.slice_worse_by or gate.margin,
        find_slices=gate.find_slices,
        fairness=gate.fairness,
        stability=gate.stability or StabilitySpec(),
    )


def run(request: EvaluateRequest, context: Context) -> EvaluateResult:
    """Score, draw and describe."""
    from pipeline_components.identity import environment

    from . import tables
    from .card import card
    from .evaluation import Evaluation
    from .judge import judge
    from .pictures import pictures

    evaluation = Evaluation(request, context)
    evaluation.score()
    judged = judge(
        request, evaluation.frame, evaluation.scored, evaluation.baseline, evaluation.troubles
    )
    sample, predictions, strange = evaluation.servability_sample()
    importances, unknown = evaluation.importances()
    drawn = pictures(
        request,
        evaluation.scored,
        judged,
        importances,
        family=evaluation.candidate.family,
        baseline_name=evaluation.baseline,
    )
    words = card(
        request,
        evaluation.candidate,
        evaluation.baseline,
        judged,
        importances=importances,
        facts=evaluation.facts(),
        environment=environment(),
    )
    put = context.store.put
    return EvaluateResult(
        candidate=evaluation.candidate,
        baseline=evaluation.baseline,
        scores=judged.scores,
        comparison=judged.comparison,
        slices=judged.slices,
        search=judged.search,
        calibration=judged.calibration,
        fairness=judged.fairness,
        rows=len(evaluation.frame),
        losses=put("losses.parquet", tables.losses(evaluation.digests, judged.losses)),
        sample=put("sample.parquet", sample),
        predictions=put("predictions.json", predictions),
        plots=tuple(put(name, data) for name, data in drawn.items()),
        card=put("model_card.md", words.encode()),
        importances=importances,
        disturbed=evaluation.disturbed(importances),
        not_finite=(*judged.not_finite, *strange, *unknown),
    )


def settle(
    request: EvaluateRequest,
    result: EvaluateResult,  # noqa: ARG001
    context: Context,
    order: Order,
) -> None:
    """Record the look at the holdout and what it may spend; a rerun of a run looks only once."""
    from pipeline_components.looks.record import record_look

    record_look(context.ledger, request.pipeline, request.run_key, order.pipeline.gate)


def tell(result: EvaluateResult, context: Context) -> Telling:  # noqa: ARG001
    """Candidate and baseline, their scores and the gain with its interval."""
    comparison = result.comparison
    summary: dict[str, Any] = {"candidate": result.candidate.family, "rows": result.rows}
    if comparison is None:
        summary |= {"baseline": result.baseline, "not_finite": len(result.not_finite)}
    else:
        summary |= {
            "metric": comparison.metric,
            "score": _short(comparison.candidate_score),
            "baseline": comparison.baseline,
            "baseline_score": _short(comparison.baseline_score),
            "gain": _short(comparison.gain.value),
            "low": _short(comparison.gain.low),
            "high": _short(comparison.gain.high),
        }
    return Telling(summary=summary, reports={"model_card": result.card})


def _short(number: float) -> float:
    return float(f"{number:.5g}")
