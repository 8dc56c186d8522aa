"""Refit: what the gate accepted, fitted once more on window and holdout, to be served."""

from __future__ import annotations

from everfit.contracts.messages.requests import EvaluateResult, GateResult, PrepareResult
from everfit.contracts.messages.steps import Order
from everfit.contracts.messages.summaries import RefitSummary
from everfit.contracts.messages.training import RefitRequest, RefitResult
from everfit.engine.context import Context
from everfit.engine.step import Step, StepReport
from everfit.engine.upstream import Upstream
from everfit.ml.families.request import train_request


class Refit(Step[RefitRequest, RefitResult]):
    """Fit the accepted candidate's settings on the rows it was judged on as well."""

    name = "refit"
    result_type = RefitResult
    cached = True

    def request(self, order: Order, upstream: Upstream, _context: Context) -> RefitRequest:
        """Name the candidate, its settings and both tables."""
        prepared = upstream.one("prepare", PrepareResult)
        evaluated = upstream.one("evaluate", EvaluateResult)
        judged = evaluated.candidate
        (family,) = (one for one in order.pipeline.train.families if one.name == judged.family)
        return RefitRequest(
            run_key=prepared.run_key,
            verdict=upstream.one("gate", GateResult).verdict,
            judged=judged,
            fit=train_request(order.pipeline, family, prepared),
            holdout=prepared.holdout,
            sample=evaluated.sample,
        )

    def run(self, request: RefitRequest, context: Context) -> RefitResult:
        """Join the tables, fit, and compare with the judged model."""
        if request.verdict != "promote":
            return RefitResult(because=f"Nothing is refitted: the verdict is {request.verdict}.")
        from everfit.steps.refit.refit import refit

        return refit(request, context)

    def record(
        self, request: RefitRequest, result: RefitResult, context: Context, _order: Order
    ) -> None:
        """That there is a model which register has to make a version of."""
        if result.model is not None:
            digest = result.model.model.digest
            context.ledger.record_result("refitted", request.run_key, digest)

    def report(self, result: RefitResult, _context: Context) -> StepReport:
        """Family and rows, or why there is no model."""
        if result.model is None:
            return StepReport(summary=RefitSummary(because=result.because))
        return StepReport(
            summary=RefitSummary(
                family=result.model.family, rows=result.model.rows, because=result.because
            )
        )
