"""Reconcile's door: what ``everfit reconcile`` does, as a component.

It ends well also where something is left for a person: that was found, said and told, and another
try would find the same.
"""

from __future__ import annotations

import logging

from pipeline_components.champion.reconcile import reconcile
from pipeline_components.context import Context
from pipeline_components.contracts.errors import shortlist
from pipeline_components.contracts.people import ReconcileRequest, ReconcileResult
from pipeline_components.contracts.steps import News, Order
from pipeline_components.door import Telling, Upstream

log = logging.getLogger(__name__)

RESULT = ReconcileResult
CACHED = False


def request(order: Order, upstream: Upstream, context: Context) -> ReconcileRequest:  # noqa: ARG001
    """Only the pipeline's name: all else is looked at."""
    return ReconcileRequest(pipeline=order.pipeline.name)


def run(request: ReconcileRequest, context: Context) -> ReconcileResult:
    """Look, repair what the ledger settles, and say what is left; all of it is in the log."""
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


def settle(
    request: ReconcileRequest, result: ReconcileResult, context: Context, order: Order
) -> None:
    """Nothing is left: every repair records itself."""


def tell(result: ReconcileResult, context: Context) -> Telling:  # noqa: ARG001
    """What was put right, and what a person must do."""
    return Telling(
        summary={
            "pipeline": result.pipeline,
            "repaired": list(result.repaired[:MOST]),
            "for_a_person": list(result.reports[:MOST]),
            "repaired_in_all": len(result.repaired),
            "for_a_person_in_all": len(result.reports),
            "versions": result.versions,
            "artifacts": result.artifacts,
        },
        news=_news(result),
    )


MOST = 20
"""Lines of each sort that an outcome carries; the log has all."""


def _news(result: ReconcileResult) -> tuple[News, ...]:
    """What differed: told each time it is found, for as long as nobody has mended it."""
    left, done = len(result.reports), len(result.repaired)
    if not left and not done:
        return ()
    what = f"MLflow or the store differs from the ledger: {done} repaired, {left} for a person"
    lines = (*result.reports, *result.repaired)
    return (News(kind="reconciled", what=what, why=shortlist(lines, most=3, sep=" ")),)
