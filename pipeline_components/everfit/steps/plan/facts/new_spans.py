"""Which spans count as new: good, in no finished run, and of use to a training now or soon."""

from __future__ import annotations

from collections.abc import Sequence

from everfit.contracts.base import Digest
from everfit.contracts.messages.spans import SpanRef, choose
from everfit.contracts.messages.trigger_facts import NewSpan
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.steps.plan.facts.world import SortedSpans
from everfit.storage.ledger.records import RunRecord


def new_spans(
    spec: PipelineSpec, listed: Sequence[SpanRef], spans: SortedSpans, finished: Sequence[RunRecord]
) -> tuple[NewSpan, ...]:
    """The new spans, in the source's order.

    Parameters
    ----------
    listed : sequence of SpanRef
        Everything the source lists, oldest first.
    spans : SortedSpans
        The same, sorted into good and bad.
    finished : sequence of RunRecord
        The runs that have a verdict.

    Notes
    -----
    Old spans that lie before the window were never in a run and never will be: they count only
    where a training now would take them. Spans after the newest used one always count.
    """
    done: set[Digest] = {digest for run in finished for digest in (*run.window, *run.holdout)}
    places = {ref: place for place, ref in enumerate(listed)}
    last = max(
        (places[ref] for ref in spans.good if (s := spans.span(ref)) and s.digest in done),
        default=-1,
    )
    window, holdout = choose(spans.good, spec.window, spec.holdout)
    taken = {*window, *holdout}
    found = []
    for ref in spans.good:
        span = spans.span(ref)
        if span is not None and span.digest in done:
            continue
        if ref in taken or places[ref] > last:
            found.append(NewSpan(ref.name, span.rows if span else None))
    return tuple(found)
