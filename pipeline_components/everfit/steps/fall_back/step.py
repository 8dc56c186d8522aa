"""Fall back: after monitoring, from a refit that is surely worse to the model that was judged."""

from __future__ import annotations

import logging

from everfit.champion.current import current_champion, refit_of
from everfit.champion.overrule import overrule
from everfit.contracts.messages.monitoring import (
    FallBackRequest,
    FallBackResult,
    MonitorResult,
    SpanEvaluation,
)
from everfit.contracts.messages.steps import News, Order
from everfit.contracts.messages.summaries import FallBackSummary
from everfit.contracts.spec.metrics import metric_title
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.wording import apart
from everfit.engine.context import Context
from everfit.engine.step import Step, StepReport
from everfit.engine.upstream import Upstream

log = logging.getLogger(__name__)

WHO = "everfit"
"""Who decided, in the journal: nobody was asked."""


class FallBack(Step[FallBackRequest, FallBackResult]):
    """Go back to the judged model, where the spans that monitoring has measured say so."""

    name = "fall_back"
    result_type = FallBackResult
    cached = False

    def request(self, order: Order, upstream: Upstream, _context: Context) -> FallBackRequest:
        """What monitoring has measured."""
        measured = upstream.one("monitor", MonitorResult)
        return FallBackRequest(
            pipeline=order.pipeline,
            champion=measured.champion,
            evaluations=measured.evaluations,
        )

    def run(self, request: FallBackRequest, context: Context) -> FallBackResult:
        """Roll back once; a second time finds the judged model serving."""
        spec, number = request.pipeline, request.champion
        champion = current_champion(context.ledger, spec.name)
        judged = refit_of(champion, context.ledger, spec.name) if champion else None
        if champion is None or judged is None or champion.version != number:
            now = champion.version if champion else number
            return FallBackResult(champion=now, because=f"v{now} serves, and is no refit.")
        worse = worse_than_judged(spec, request.evaluations)
        if not worse:
            return FallBackResult(
                champion=number,
                because=f"v{number} is not surely worse than v{judged.version}, which it is a "
                "refit of.",
            )
        done = overrule("rollback", spec, judged.version, worse, WHO, context)
        log.warning("%s: %s", spec.name, worse)
        return FallBackResult(
            champion=judged.version, before=number, because=worse, changed=done.changed
        )

    def record(
        self, _request: FallBackRequest, _result: FallBackResult, _context: Context, _order: Order
    ) -> None:
        """Nothing: every effect has its place in ``run``, in an order that may be cut anywhere."""

    def report(self, result: FallBackResult, _context: Context) -> StepReport:
        """Which version serves, and why."""
        what = f"version {result.champion} is the champion again"
        return StepReport(
            summary=FallBackSummary(
                champion=result.champion, before=result.before, because=result.because
            ),
            news=(News(kind="promoted", what=what, why=result.because, report="monitor_report"),)
            if result.changed
            else (),
        )


def worse_than_judged(spec: PipelineSpec, evaluations: tuple[SpanEvaluation, ...]) -> str:
    """A sentence on the first span on which a refit is surely worse; empty where it is on none."""
    for one in evaluations:
        for rise in one.rises:
            if rise.metric != spec.primary_metric or rise.estimated or rise.judged is None:
                continue
            if rise.judged.low > 0:
                theirs, ours = apart(rise.judged.score, rise.current, unit=spec.target.unit)
                return (
                    f"On {one.span.name} the refit has {metric_title(rise.metric)} {ours}, the "
                    f"judged model {theirs}: surely worse (95 % one-sided confidence)."
                )
    return ""
