"""Prepare: two tables, and the proof that no observation is in both."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from everfit.champion.current import pinned_champion
from everfit.contracts.base import canonical_json
from everfit.contracts.errors import IntegrityError
from everfit.contracts.messages.requests import PrepareRequest, PrepareResult, ValidateResult
from everfit.contracts.messages.spans import Span
from everfit.contracts.messages.steps import Order
from everfit.contracts.messages.summaries import PrepareSummary
from everfit.engine.context import Context
from everfit.engine.step import Step, StepReport
from everfit.engine.upstream import Upstream
from everfit.steps.prepare.request import prepare_request


class Prepare(Step[PrepareRequest, PrepareResult]):
    """Make the training and the holdout table."""

    name = "prepare"
    result_type = PrepareResult
    cached = True

    def request(self, order: Order, upstream: Upstream, context: Context) -> PrepareRequest:
        """Name what the tables are made of."""
        validated = upstream.one("validate", ValidateResult)
        request = prepare_request(
            order.pipeline, validated, pinned_champion(validated.run_key, order, upstream, context)
        )
        return request.model_copy(update={"data_report": validated.report})

    def run(self, request: PrepareRequest, context: Context) -> PrepareResult:
        """Read the snapshots, divide the rows, write the tables and the proof."""
        from everfit.steps.prepare.assemble import assemble
        from everfit.steps.prepare.champion_seen import champion_seen
        from everfit.steps.prepare.report.rows_left_out import with_rows_left_out

        total = sum(span.rows for span in (*request.window, *request.holdout))
        done = 0

        def progress(rows: int) -> None:
            nonlocal done
            done += rows
            context.progress.update("preparing rows", done, total)

        def open_span(span: Span) -> Path:
            return context.store.local(span.digest, context.scratch)

        train, holdout = context.scratch / "train.parquet", context.scratch / "holdout.parquet"
        seen = champion_seen(request, context)
        made = assemble(request, open_span, train, holdout, progress, seen)
        dropped = made.dropped | request.left_out
        rows_read = made.rows_read + sum(request.left_out.values())
        report = request.data_report
        if report is not None:
            with suppress(IntegrityError):  # a page that was removed is missed by nothing
                page = context.store.get(report.digest)
                page = with_rows_left_out(page, dropped, rows_read, made.weights)
                report = context.store.put(report.name, page)
        return PrepareResult(
            run_key=request.run_key,
            train=context.store.put("train.parquet", train),
            holdout=context.store.put("holdout.parquet", holdout),
            columns=made.columns,
            classes=made.classes,
            rows_train=made.rows_train,
            rows_holdout=made.rows_holdout,
            dropped=dropped,
            rows_read=rows_read,
            delivered_before=made.delivered_before,
            report=report,
            proof=context.store.put("split_proof.json", canonical_json(made.proof)),
            weights=made.weights,
        )

    def record(
        self, _request: PrepareRequest, _result: PrepareResult, _context: Context, _order: Order
    ) -> None:
        """Nothing: the tables are in the store and the result names them."""

    def report(self, result: PrepareResult, _context: Context) -> StepReport:
        """Rows on each side, rows left out, and the run they are of."""
        return StepReport(
            summary=PrepareSummary(
                rows_train=result.rows_train,
                rows_holdout=result.rows_holdout,
                features=sum(column.role == "feature" for column in result.columns),
                dropped=sum(result.dropped.values()),
                left_out=result.dropped,
                rows_read=result.rows_read,
                run_key=result.run_key[:12],
            ),
            reports={"data_report": result.report} if result.report else {},
        )
