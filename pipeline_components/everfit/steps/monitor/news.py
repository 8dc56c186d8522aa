"""What people may want to hear of an evaluation: only what was not so before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from everfit.contracts.errors import shortlist
from everfit.contracts.messages.monitoring import Rise, SpanEvaluation
from everfit.contracts.messages.steps import News
from everfit.contracts.spec.pipeline import PipelineSpec

REPORT = "monitor_report"


class Measured(Protocol):
    """An evaluation of a span, or the ledger's record of it."""

    @property
    def state(self) -> str:
        """``measured``, or why not."""

    @property
    def inputs(self) -> float:
        """Largest drift score of a column the champion depends on."""

    @property
    def rises(self) -> tuple[Rise, ...]:
        """How much worse the champion scores."""


def news(
    spec: PipelineSpec,
    version: int,
    now: Sequence[SpanEvaluation],
    earlier: Sequence[SpanEvaluation],
) -> tuple[News, ...]:
    """Drift and decay that the newest span has switched on, and spans that are broken.

    Parameters
    ----------
    spec : PipelineSpec
    version : int
        Of the champion.
    now, earlier : sequence of SpanEvaluation
        Oldest first. A span of ``earlier`` that is evaluated anew takes its old place.
    """
    anew = {evaluation.span.name: evaluation for evaluation in now}
    known = {evaluation.span.name for evaluation in earlier}
    after = [anew.get(evaluation.span.name, evaluation) for evaluation in earlier]
    after += [evaluation for evaluation in now if evaluation.span.name not in known]
    found = []
    if drifting(spec, after) and not drifting(spec, earlier):
        last = _last_measured(after)
        found.append(
            News(
                kind="drift",
                what=f"{spec.name}: {last.span.name} differs from what champion v{version} knows",
                why=last.because,
                report=REPORT,
            )
        )
    if decaying(spec, after) and not decaying(spec, earlier):
        last = _last_measured(after)
        found.append(
            News(
                kind="decay",
                what=f"{spec.name}: champion v{version} has become worse on {last.span.name}",
                why=last.because,
                report=REPORT,
            )
        )
    before = {e.span.digest for e in earlier if e.state == "broken"}
    broken = [e for e in now if e.state == "broken" and e.span.digest not in before]
    if broken:
        names = shortlist((evaluation.span.name for evaluation in broken), most=3)
        found.append(
            News(
                kind="quarantined",
                what=f"{spec.name}: {names} {'is' if len(broken) == 1 else 'are'} broken, so that "
                "the champion is not scored there",
                why=broken[-1].because,
                report=REPORT,
            )
        )
    return tuple(found)


def drifting(spec: PipelineSpec, evaluations: Sequence[Measured]) -> bool:
    """Whether what the champion depends on has drifted, as of the last of them."""
    on = False
    for evaluation in evaluations:
        if evaluation.state == "measured":
            score = evaluation.inputs
            on = score >= spec.monitor.effect or (on and score >= spec.monitor.off_below)
    return on


def decaying(spec: PipelineSpec, evaluations: Sequence[Measured]) -> bool:
    """Whether the champion is surely worse than attainable, or all of a sudden than it was.

    As of the last of them. People hear of a loss that has surged also where a fresh model would do
    no better; a training is not woken by it.
    """
    on = False
    for evaluation in evaluations:
        for rise in evaluation.rises:
            ours = rise.metric == spec.primary_metric and rise.source == "champion"
            if ours and not rise.estimated:
                margin = spec.monitor.worse_by
                surged = rise.surged(margin)
                on = rise.beyond(margin) or surged or (on and not rise.below(margin))
    return on


def _last_measured(evaluations: Sequence[SpanEvaluation]) -> SpanEvaluation:
    return [evaluation for evaluation in evaluations if evaluation.state == "measured"][-1]
