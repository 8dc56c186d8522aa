"""Reconcile: what ``everfit reconcile`` does, as a step.

It ends well also where something is left for a person: that was found, said and told, and another
try would find the same.
"""

from __future__ import annotations

import logging

from everfit.champion.repair.reconcile import reconcile
from everfit.contracts.errors import shortlist
from everfit.contracts.messages.people import ReconcileRequest, ReconcileResult
from everfit.contracts.messages.steps import News, Order
from everfit.contracts.messages.summaries import ReconcileSummary
from everfit.engine.context import Context
from everfit.engine.step import Step, StepReport
from everfit.engine.upstream import Upstream

log = logging.getLogger(__name__)


class Reconcile(Step[ReconcileRequest, ReconcileResult]):
    """Compare MLflow and the store with the ledger, and repair what the ledger decides."""

    name = "reconcile"
    result_type = ReconcileResult
    cached = False

    def request(self, order: Order, _upstream: Upstream, _context: Context) -> ReconcileRequest:
        """Only the pipeline's name: all else is looked at."""
        return ReconcileRequest(pipeline=order.pipeline.name)

    def run(self, request: ReconcileRequest, context: Context) -> ReconcileResult:
        """Repair what the ledger decides, and say what is left; all of it is in the log."""
        done = reconcile(request.pipeline, context)
        for sentence in done.repaired:
            log.warning("repaired: %s", sentence)
        for report in done.reports:
            log.error("%s", report.line)
        return ReconcileResult(
            pipeline=request.pipeline,
            repaired=done.repaired,
            reports=tuple(report.line for report in done.reports),
            versions=done.versions,
            runs=done.runs,
            artifacts=done.artifacts,
        )

    def record(
        self, _request: ReconcileRequest, _result: ReconcileResult, _context: Context, _order: Order
    ) -> None:
        """Nothing: every repair records itself."""

    def report(self, result: ReconcileResult, _context: Context) -> StepReport:
        """What was put right, and what a person must do."""
        return StepReport(
            summary=ReconcileSummary(
                pipeline=result.pipeline,
                repaired_total=len(result.repaired),
                for_a_person_total=len(result.reports),
                versions=result.versions,
                artifacts=result.artifacts,
                repaired=result.repaired[:MOST],
                for_a_person=result.reports[:MOST],
            ),
            news=_news(result),
        )


MOST = 20
"""Lines of each sort that an outcome carries; the log has all."""


def _news(result: ReconcileResult) -> tuple[News, ...]:
    """What differed; sent each time it is found, for as long as nobody has fixed it."""
    left, done = len(result.reports), len(result.repaired)
    if not left and not done:
        return ()
    what = f"MLflow or the store differs from the ledger: {done} repaired, {left} for a person"
    lines = (*result.reports, *result.repaired)
    return (News(kind="reconciled", what=what, why=shortlist(lines, most=3, sep=" ")),)
