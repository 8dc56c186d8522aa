"""The page where Evidently can make none: what the monitor measured, and why there is no report."""

from __future__ import annotations

from collections.abc import Sequence

from everfit.contracts import wording
from everfit.contracts.messages.monitoring import SpanEvaluation
from everfit.reporting.templating import render

TEMPLATE = "steps/drift_report/report/own_page.html.j2"
MOST = 100


def own_page(
    evaluation: SpanEvaluation, title: str, kicker: str, because: str, left_out: Sequence[str]
) -> bytes:
    """One self-contained page; the same bytes for the same values.

    Parameters
    ----------
    because : str
        Why Evidently made no report.
    left_out : sequence of str
        Columns it was not given, and why.
    """
    return render(
        TEMPLATE,
        title=title,
        kicker=kicker,
        lead=wording.sentence(evaluation.because),
        badge="no Evidently report",
        tone="calm",
        footer="The monitor page says more; nothing depends on Evidently’s report.",
        why=because,
        left_out=list(left_out[:MOST]),
        checks=evaluation.checks[:MOST],
        columns=evaluation.columns[:MOST],
    )
