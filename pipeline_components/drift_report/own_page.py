"""The page where Evidently can make none: what the monitor measured, and why there is no report."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline_components.contracts.monitoring import SpanEvaluation
from pipeline_components.report.page import Html, Section, escape, page, pill, table

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
    reasons = "".join(f"<li>{escape(text)}</li>" for text in left_out[:MOST])
    sections = [
        Section(
            "Why there is no report of Evidently’s",
            f"<p>{escape(because[:1].upper() + because[1:])}.</p><ul>{reasons}</ul>",
        )
    ]
    if evaluation.checks:
        sections.append(Section("Hard checks", _checks(evaluation)))
    if evaluation.columns:
        sections.append(Section("What the monitor measured", _columns(evaluation)))
    return page(
        title, evaluation.because.rstrip(".") + ".", sections, badge="no Evidently report",
        tone="calm", kicker=kicker,
        footer="The monitor page says more; nothing depends on Evidently’s report.",
    )  # fmt: skip


def _checks(evaluation: SpanEvaluation) -> Html:
    rows = [
        [
            pill(check.severity, "bad" if check.severity == "error" else "warn"),
            Html(f"<code>{escape(check.code)}</code>"),
            check.column or "–",
            check.message,
        ]
        for check in evaluation.checks[:MOST]
    ]
    return table(("", "Code", "Column", "What was found"), rows)


def _columns(evaluation: SpanEvaluation) -> Html:
    rows = [
        [
            column.name,
            pill("drifted", "warn") if column.drifted else pill("no alarm", "calm"),
            column.score,
            column.measure,
            column.adjusted,
            column.message,
        ]
        for column in evaluation.columns[:MOST]
    ]
    headers = ("Column", "", "Drift score", "Measure", "p after Holm", "How it moved")
    return table(headers, rows)
