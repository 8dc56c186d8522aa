"""Evaluate: tables and models in; scores, pictures, losses and a model card out."""

from __future__ import annotations

import logging

from everfit.champion.current import pinned_champion
from everfit.champion.decayed import champion_decay
from everfit.contracts.base import canonical_json, digest_bytes
from everfit.contracts.messages.requests import EvaluateRequest, EvaluateResult, PrepareResult
from everfit.contracts.messages.steps import Order
from everfit.contracts.messages.summaries import EvaluateSummary
from everfit.contracts.messages.training import TrainResult
from everfit.contracts.spec.gate import StabilitySpec
from everfit.engine.context import Context
from everfit.engine.step import Step, StepReport
from everfit.engine.upstream import Upstream

log = logging.getLogger(__name__)


class Evaluate(Step[EvaluateRequest, EvaluateResult]):
    """Score the candidates and the champion on the holdout."""

    name = "evaluate"
    result_type = EvaluateResult
    cached = True

    def request(self, order: Order, upstream: Upstream, context: Context) -> EvaluateRequest:
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
            champion=pinned_champion(prepared.run_key, order, upstream, context),
            seed=spec.train.seed,
            threads=spec.train.threads,
            intention=gate.intention,
            margin=gate.margin,
            trusted=tuple(family.estimator for family in spec.train.families if family.estimator),
            owner=spec.owner,
            description=spec.description,
            unit=spec.target.unit,
            dropped=prepared.dropped,
            slice_worse_by=gate.slice_worse_by or gate.margin,
            find_slices=gate.find_slices,
            fairness=gate.fairness,
            stability=gate.stability or StabilitySpec(),
            weights=prepared.weights,
            when_decayed=gate.when_decayed,
        )

    def run(self, request: EvaluateRequest, context: Context) -> EvaluateResult:
        """Score, draw and describe."""
        from everfit.engine.fingerprints import environment
        from everfit.steps.evaluate import output_files
        from everfit.steps.evaluate.evaluation import Evaluation
        from everfit.steps.evaluate.report.card import card, unjudged_page
        from everfit.steps.evaluate.report.pictures import pictures
        from everfit.steps.evaluate.score_models import score_models

        evaluation = Evaluation(request, context)
        evaluation.score()
        judged = score_models(
            request,
            evaluation.frame,
            evaluation.scored,
            evaluation.baseline,
            evaluation.troubles,
            evaluation.known(),
        )
        sample, predictions, strange = evaluation.servability_sample()
        found, unknown = evaluation.importances()
        importances = found.alone
        drawn = pictures(
            request,
            evaluation.scored,
            judged,
            importances,
            family=evaluation.candidate.family,
            baseline_name=evaluation.baseline,
        )
        values = card(
            request,
            evaluation.candidate,
            evaluation.baseline,
            judged,
            importances=importances,
            groups=found.groups,
            facts=evaluation.facts(),
            environment=environment(),
        )
        put = context.store.put
        return EvaluateResult(
            candidate=evaluation.candidate,
            trained={one.family: digest_bytes(canonical_json(one)) for one in request.models},
            baseline=evaluation.baseline,
            scores=judged.scores,
            comparison=judged.comparison,
            when_decayed=judged.when_decayed,
            slices=judged.slices,
            search=judged.search,
            calibration=judged.calibration,
            fairness=judged.fairness,
            rows=len(evaluation.frame),
            losses=put(
                "losses.parquet",
                output_files.losses(evaluation.digests, judged.losses, evaluation.weight),
            ),
            sample=put("sample.parquet", sample),
            predictions=put("predictions.json", predictions),
            plots=tuple(put(name, data) for name, data in drawn.items()),
            card=put("model_card.html", unjudged_page(values, request.owner)),
            card_values=put("model_card.json", canonical_json(values)),
            importances=importances,
            importance_groups=found.groups,
            disturbed=evaluation.disturbed(importances),
            explained=evaluation.explained(importances),
            not_finite=(*judged.not_finite, *strange, *unknown),
        )

    def record(
        self, request: EvaluateRequest, _result: EvaluateResult, context: Context, order: Order
    ) -> None:
        """Record the evaluation on the holdout and what it may spend; a rerun spends only once."""
        from everfit.ml.holdout_budget.policy import EvaluatedRun
        from everfit.ml.holdout_budget.recognize import EvaluatedTable
        from everfit.ml.holdout_budget.record import record_evaluation

        def open_table() -> EvaluatedTable:
            path = context.store.local(request.holdout.digest, context.scratch)
            features = [column.name for column in request.columns if column.role == "feature"]
            return EvaluatedTable(path, request.target, features, request.time)

        run = EvaluatedRun(request.run_key, request.pipeline, request.target)
        ledger, spec = context.ledger, order.pipeline
        opened = ledger.run(request.run_key)
        digests = (opened.holdout or opened.window) if opened else ()
        names = {one.name for one in ledger.spans(spec.name) if one.digest in digests}
        decay = champion_decay(spec, request.champion, ledger, names)
        record_evaluation(ledger, run, spec.gate, context.clock(), open_table, decay)

    def report(self, result: EvaluateResult, _context: Context) -> StepReport:
        """Candidate and baseline, their scores and the gain with its interval."""
        summary = EvaluateSummary(
            candidate=result.candidate.family,
            baseline=result.baseline,
            rows=result.rows,
            not_finite=len(result.not_finite),
        )
        if (comparison := result.comparison) is not None:
            summary = EvaluateSummary(
                candidate=result.candidate.family,
                baseline=comparison.baseline,
                rows=result.rows,
                metric=comparison.metric,
                score=_short(comparison.candidate_score),
                baseline_score=_short(comparison.baseline_score),
                gain=_short(comparison.gain.value),
                low=_short(comparison.gain.low),
                high=_short(comparison.gain.high),
            )
        return StepReport(summary=summary, reports={"model_card": result.card})


def _short(number: float) -> float:
    return float(f"{number:.5g}")
