"""Prepare: two tables and the proof that they share nothing."""

from __future__ import annotations

from pathlib import Path

from pipeline_components.context import Context
from pipeline_components.contracts.base import canonical_json
from pipeline_components.contracts.requests import PrepareRequest, PrepareResult, ValidateResult
from pipeline_components.contracts.spans import Span
from pipeline_components.contracts.steps import Order
from pipeline_components.door import Telling, Upstream

from .request import prepare_request

RESULT = PrepareResult
CACHED = True


def request(order: Order, upstream: Upstream, context: Context) -> PrepareRequest:  # noqa: ARG001
    """Name what the tables are made of."""
    validated = upstream.one("validate", ValidateResult)
    return prepare_request(order.pipeline, validated, upstream.champion(validated.run_key))


def run(request: PrepareRequest, context: Context) -> PrepareResult:
    """Read the snapshots, divide the rows, write the tables and the proof."""
    from .assemble import assemble
    from .champion_seen import champion_seen

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
    return PrepareResult(
        run_key=request.run_key,
        train=context.store.put("train.parquet", train),
        holdout=context.store.put("holdout.parquet", holdout),
        columns=made.columns,
        classes=made.classes,
        rows_train=made.rows_train,
        rows_holdout=made.rows_holdout,
        dropped=made.dropped,
        proof=context.store.put("split_proof.json", canonical_json(made.proof)),
    )


def settle(request: PrepareRequest, result: PrepareResult, context: Context, order: Order) -> None:
    """Nothing: the tables are in the store and the result names them."""


def tell(result: PrepareResult, context: Context) -> Telling:  # noqa: ARG001
    """Rows on each side, rows left out, and the run they are of."""
    return Telling(
        summary={
            "rows_train": result.rows_train,
            "rows_holdout": result.rows_holdout,
            "features": sum(column.role == "feature" for column in result.columns),
            "dropped": sum(result.dropped.values()),
            "run_key": result.run_key[:12],
        }
    )
