"""The page of one evaluation: Evidently's where it can make one, else ours, and never none."""

from __future__ import annotations

import logging

from everfit.contracts.errors import shortlist
from everfit.contracts.messages.monitoring import DriftReportRequest, DriftReportResult
from everfit.contracts.wording import count
from everfit.engine.context import Context
from everfit.steps.drift_report.comparable import Comparable, comparable
from everfit.steps.drift_report.report.evidently_page import NoReport, evidently_page
from everfit.steps.drift_report.report.own_page import own_page
from everfit.steps.drift_report.sample_rows import sample

log = logging.getLogger(__name__)

FILE = "drift_report.html"
FEWEST_ROWS = 20


def make_page(request: DriftReportRequest, context: Context) -> DriftReportResult:
    """Compare samples of both sides; where that cannot be done, say why.

    Returns
    -------
    DriftReportResult
        Without what MLflow adds.
    """
    evaluation = request.evaluation
    kinds = {column.name: column.kind for column in evaluation.columns}
    tables: Comparable | None = None
    rows = (0, 0)
    why = _nothing_to_compare(request)
    if not why:
        reference = sample(context, request.reference, tuple(kinds))
        current = sample(context, (evaluation.span,), tuple(kinds))
        rows = (len(reference), len(current))
        tables = comparable(reference, current, kinds)
        del reference, current
        if not tables.columns:
            why = "none of the columns can be compared by Evidently"
        elif min(rows) < FEWEST_ROWS:
            why = f"there are {rows[0]:,} and {rows[1]:,} rows to compare"
    left_out = tables.left_out if tables else ()
    version = request.champion.version
    title = f"{evaluation.span.name} compared with the window of champion v{version}"
    kicker = f"{request.pipeline} · Evidently’s drift report"
    if tables is not None and not why:
        because = (
            f"{count(len(tables.columns), 'column')} of {count(rows[1], 'row')}, "
            f"compared with {count(rows[0], 'row')} of the champion's window"
        )
        told = [_made_from(request, rows), _how_to_read(request, tables)]
        try:
            page = evidently_page(tables, title, kicker, told, left_out)
        except NoReport as error:
            why = f"Evidently could not compare them: {error}"
        else:
            return DriftReportResult(
                report=context.store.put(FILE, page),
                made=True,
                because=because,
                left_out=left_out,
                rows=rows,
            )
    page = own_page(evaluation, title, kicker, why, left_out)
    return DriftReportResult(
        report=context.store.put(FILE, page), made=False, because=why, left_out=left_out, rows=rows
    )


def _nothing_to_compare(request: DriftReportRequest) -> str:
    evaluation = request.evaluation
    if evaluation.state == "broken":
        failed = [check.message for check in evaluation.checks if check.severity == "error"]
        return f"the span is broken: {shortlist(failed, most=3) or evaluation.because}"
    if evaluation.state == "too_small":
        return f"the span has {evaluation.span.rows:,} rows, too few to compare"
    if not evaluation.columns:
        return "no column was compared"
    if not request.reference:
        return "the ledger no longer knows the spans the champion was trained on"
    return ""


def _made_from(request: DriftReportRequest, rows: tuple[int, int]) -> str:
    total = sum(span.rows for span in request.reference)
    window = count(len(request.reference), "span")
    return (
        f"Current: {_of(rows[1], request.evaluation.span.rows)} of "
        f"{request.evaluation.span.name}. Reference: {_of(rows[0], total)} of the {window} "
        f"that champion v{request.champion.version} was trained on."
    )


def _of(some: int, total: int) -> str:
    return f"all {total:,} rows" if some >= total else f"a sample of {some:,} of {total:,} rows"


def _how_to_read(request: DriftReportRequest, tables: Comparable) -> str:
    drifted = [column.name for column in request.evaluation.columns if column.drifted]
    ours = shortlist(drifted, most=5) or "none"
    return (
        "Evidently’s own defaults, for people to look at: they correct neither for the number of "
        f"columns ({len(tables.columns):,}) nor for dependence in time, and nothing is decided by "
        f"them. By the monitor’s own measure, these columns drifted: {ours}."
    )
