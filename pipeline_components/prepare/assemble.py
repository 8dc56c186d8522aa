"""Window and holdout as two tables that share nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_components.contracts.errors import SourceError
from pipeline_components.contracts.requests import ColumnRole, PrepareRequest
from pipeline_components.contracts.spans import Span

from .classes import class_list, of_classes, settle_target
from .column_roles import column_roles
from .proof import prove
from .read_spans import SpanRows, read_span
from .split import Places, Seen, ordered, split_rows
from .write_table import write_table

TYPES = {"int64": "integer", "double": "float", "bool": "boolean", "string": "string"}


@dataclass(frozen=True)
class Assembled:
    """What was written, and what there is to say of it."""

    columns: tuple[ColumnRole, ...]
    classes: tuple[str, ...] | None
    rows_train: int
    rows_holdout: int
    dropped: dict[str, int]
    proof: dict[str, Any]


def assemble(
    request: PrepareRequest,
    open_span: Callable[[Span], Path],
    train_path: Path,
    holdout_path: Path,
    progress: Callable[[int], None] = lambda _: None,
    champion: Seen | None = None,
) -> Assembled:
    """Read the spans, divide their rows and write both tables.

    Parameters
    ----------
    request : PrepareRequest
    open_span : callable
        Gives a local, verified Parquet file for a span.
    train_path, holdout_path : Path
        Where the tables go.
    progress : callable
        Called with the number of rows after each batch.
    champion : Seen, optional
        What it was trained on.

    Raises
    ------
    SourceError
        If the data cannot give both tables.
    """
    names = [role.name for role in column_roles(request, "float") if role.role != "target"]
    dropped: dict[str, int] = {"target_missing": 0}
    spans: list[tuple[SpanRows, bool]] = []
    for judged, side in ((False, request.window), (True, request.holdout)):
        for span in side:
            path = open_span(span)
            read = read_span(path, span, request, names, dropped, progress)
            spans.append((read, judged))
    rows = _joined([part for span, _ in spans for part in span.rows])
    entities = _joined([p for span, _ in spans for p in span.entities]) if request.entity else None
    times = _joined([p for span, _ in spans for p in span.times]) if request.time else None
    owner = np.repeat(np.arange(len(spans)), [_kept(span) for span, _ in spans])
    judged_rows = np.array([judged for _, judged in spans], dtype=bool)[owner]
    if not len(rows):
        raise _empty("rows with a target", dropped)
    target = _targets(spans, request)

    judged_on = None if request.fraction is not None else judged_rows
    split = split_rows(rows, entities, judged_on, request.fraction, champion)
    dropped |= split.dropped
    train, holdout = split.train, split.holdout
    classes = None
    if request.task != "regression":
        if not len(train):
            raise _empty("training rows", dropped)
        known = target.take(pa.array(train))
        classes = class_list(known, request.task, request.target, request.positive)
        seen = of_classes(target.take(pa.array(holdout)), classes)
        dropped["class_unseen_in_training"] = int((~seen).sum())
        holdout = holdout[seen]
    for what, side_rows in (("training rows", train), ("holdout rows", holdout)):
        if not len(side_rows):
            raise _empty(what, dropped)

    train, holdout = ordered(train, rows, times), ordered(holdout, rows, times)
    table = _columns(spans, names)
    roles = column_roles(request, TYPES[str(target.type)])
    table = {role.name: target if role.role == "target" else table[role.name] for role in roles}
    proof = prove(
        (rows[train], None if entities is None else entities[train]),
        (rows[holdout], None if entities is None else entities[holdout]),
        _span_counts(spans, owner, train, holdout, request.fraction is not None),
        dropped,
    )
    write_table(train_path, table, rows, train)
    write_table(holdout_path, table, rows, holdout)
    return Assembled(
        columns=tuple(_with_distinct(role, table[role.name], train) for role in roles),
        classes=classes,
        rows_train=len(train),
        rows_holdout=len(holdout),
        dropped={reason: count for reason, count in sorted(dropped.items()) if count},
        proof=proof,
    )


def _joined(parts: list[Any]) -> Any:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.uint64)


def _kept(span: SpanRows) -> int:
    return sum(len(part) for part in span.rows)


def _targets(spans: list[tuple[SpanRows, bool]], request: PrepareRequest) -> Any:
    parts = [part for span, _ in spans for part in span.targets]
    kinds = {part.type for part in parts if len(part)}
    if len(kinds) > 1:  # an expression may give floats in one batch and nothing in another
        parts = [part.cast(pa.float64()) for part in parts]
    values = pa.chunked_array([part for part in parts if len(part)])
    settled = settle_target(values, request.task, request.target)
    return settled.combine_chunks()


def _columns(spans: list[tuple[SpanRows, bool]], names: list[str]) -> dict[str, Any]:
    """Each kept column of all rows in one piece, giving up the batches column by column."""
    batches = [batch for span, _ in spans for batch in span.batches]
    for span, _ in spans:
        span.batches = []
    columns: dict[str, Any] = {}
    parts = [[batch.column(i) for batch in batches] for i in range(len(names))]
    del batches
    for position, name in enumerate(names):
        columns[name] = pa.chunked_array(parts[position]).combine_chunks()
        parts[position] = []
    return columns


def _with_distinct(role: ColumnRole, column: Any, train: Places) -> ColumnRole:
    if role.type != "string":
        return role
    distinct = pc.count_distinct(column.take(pa.array(train))).as_py()
    return role.model_copy(update={"distinct": distinct})


def _span_counts(
    spans: list[tuple[SpanRows, bool]], owner: Any, train: Places, holdout: Places, by_row: bool
) -> list[dict[str, Any]]:
    in_train = np.bincount(owner[train], minlength=len(spans))
    in_holdout = np.bincount(owner[holdout], minlength=len(spans))
    return [
        {
            "name": span.name,
            "digest": span.digest,
            "side": "both" if by_row else "holdout" if judged else "train",
            "rows_read": span.rows_read,
            "rows_train": int(in_train[position]),
            "rows_holdout": int(in_holdout[position]),
        }
        for position, (span, judged) in enumerate(spans)
    ]


def _empty(what: str, dropped: dict[str, int]) -> SourceError:
    lost = ", ".join(f"{reason} {count:,}" for reason, count in dropped.items() if count)
    return SourceError(
        "PREPARE-EMPTY", "the prepared tables", f"there must be {what}",
        f"none is left ({lost})" if lost else "none is left",
        "Widen the window or the holdout, or look at the data report",
    )  # fmt: skip
