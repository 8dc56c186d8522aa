"""Window and holdout as two tables of different observations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from everfit.contracts.errors import SourceError
from everfit.contracts.messages.left_out import LEFT_OUT
from everfit.contracts.messages.requests import DeliveredBefore, PrepareRequest
from everfit.contracts.messages.spans import Span
from everfit.contracts.messages.training import ColumnRole, Weights
from everfit.data.tables.frames import PIECE, ROW, SHOWN, WEIGHT
from everfit.data.tables.row_digests import newest_versions, numbered
from everfit.steps.prepare.classes import class_list, of_classes, settle_target
from everfit.steps.prepare.column_roles import column_roles
from everfit.steps.prepare.delivered import compare_by, delivered_before
from everfit.steps.prepare.proof import prove
from everfit.steps.prepare.read_spans import SpanRows, read_span
from everfit.steps.prepare.split import (
    Places,
    RowFacts,
    Seen,
    ordered,
    split_rows,
)
from everfit.steps.prepare.weights import in_units_of_training
from everfit.steps.prepare.write_table import write_table

TYPES = {"int64": "integer", "double": "float", "bool": "boolean", "string": "string"}


@dataclass(frozen=True)
class Assembled:
    """What was written, and what there is to say of it."""

    columns: tuple[ColumnRole, ...]
    classes: tuple[str, ...] | None
    rows_train: int
    rows_holdout: int
    rows_read: int
    dropped: dict[str, int]
    delivered_before: tuple[DeliveredBefore, ...]
    proof: dict[str, Any]
    weights: Weights | None


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
    roles = column_roles(request, "float")
    names = [role.name for role in roles if role.role != "target"]
    features = [role.name for role in roles if role.role == "feature"]
    dropped: dict[str, int] = {"target_missing": 0}
    spans: list[tuple[SpanRows, bool]] = []
    for judged, side in ((False, request.window), (True, request.holdout)):
        for span in side:
            path = open_span(span)
            read = read_span(path, span, request, names, features, dropped, progress)
            spans.append((read, judged))
    facts, owner, times = _facts(request, spans)
    if not len(facts.rows):
        raise _empty("rows with a target", dropped, request)
    kept = _newest(request, spans, dropped)
    target = _targets(spans, request)

    split = split_rows(facts if kept is None else _part(facts, kept), request.fraction, champion)
    dropped |= split.dropped
    train, holdout = split.train, split.holdout
    if kept is not None:
        train, holdout = kept[train], kept[holdout]
    classes = None
    if request.task != "regression":
        if not len(train):
            raise _empty("training rows", dropped, request)
        known = target.take(pa.array(train))
        classes = class_list(known, request.task, request.target, request.positive)
        seen = of_classes(target.take(pa.array(holdout)), classes)
        dropped["class_unseen_in_training"] = int((~seen).sum())
        holdout = holdout[seen]
    for what, side_rows in (("training rows", train), ("holdout rows", holdout)):
        if not len(side_rows):
            raise _empty(what, dropped, request)

    table = _columns(spans, names)
    roles = column_roles(request, TYPES[str(target.type)])
    delivery = compare_by({name: table[name] for name in features}, target, owner, train, holdout)
    before: tuple[DeliveredBefore, ...] = ()
    if request.fraction is None:
        order = [span.name for span, _ in spans]
        before = delivered_before(delivery, owner, order, train, holdout)
    own = facts.rows.copy()  # equal rows apart, so that their order is as good as random as well
    for places in (train, holdout):
        own[places] = numbered(facts.rows[places])
    train, holdout = ordered(train, own, times), ordered(holdout, own, times)
    table = {role.name: target if role.role == "target" else table[role.name] for role in roles}
    proof = prove(
        _part(facts, train),
        _part(facts, holdout),
        _span_counts(spans, owner, train, holdout, request.fraction is not None),
        dropped,
    )
    extra = {
        ROW: facts.rows,
        SHOWN: delivery.shown,
        PIECE: delivery.piece.astype(np.uint8),
    }
    weights = None
    if request.weight is not None:
        weight = _joined([part for span, _ in spans for part in span.weights])
        extra[WEIGHT], weights = in_units_of_training(weight, train, holdout, request.weight)
    write_table(train_path, table, extra, train)
    write_table(holdout_path, table, extra, holdout)
    return Assembled(
        columns=tuple(_with_distinct(role, table[role.name], train) for role in roles),
        classes=classes,
        rows_train=len(train),
        rows_holdout=len(holdout),
        rows_read=sum(span.rows_read for span, _ in spans),
        dropped={reason: count for reason, count in sorted(dropped.items()) if count},
        delivered_before=before,
        proof=proof,
        weights=weights,
    )


def _facts(
    request: PrepareRequest, spans: list[tuple[SpanRows, bool]]
) -> tuple[RowFacts, Places, Places | None]:
    """What is known of the rows with a target, the number of each one's span, and its time."""
    rows = _joined([part for span, _ in spans for part in span.rows])
    owner = np.repeat(np.arange(len(spans)), [_kept(span) for span, _ in spans])
    judged = np.array([judged for _, judged in spans], dtype=bool)
    known = np.array([span.digest in request.champion_window for span, _ in spans], dtype=bool)
    by_row = request.fraction is not None
    facts = RowFacts(
        rows,
        keys=_joined([one.keys[one.labelled] for span, _ in spans for one in span.every])
        if request.key
        else None,
        entities=_joined([part for span, _ in spans for part in span.entities])
        if request.entity
        else None,
        alike=_joined([part for span, _ in spans for part in span.alike]) if by_row else None,
        judged=None if by_row else judged[owner],
        known_span=None if by_row else known[owner],
    )
    times = _joined([part for span, _ in spans for part in span.times]) if request.time else None
    return facts, owner, times


def _newest(
    request: PrepareRequest, spans: list[tuple[SpanRows, bool]], dropped: dict[str, int]
) -> Places | None:
    """Positions, among the rows with a target, of the newest version of each; None without a key.

    A version without a target replaces older ones as any other does.
    """
    if not request.key:
        return None
    every = [(number, one) for number, (span, _) in enumerate(spans) for one in span.every]
    keys = _joined([one.keys for _, one in every])
    span = np.repeat([number for number, _ in every], [len(one.keys) for _, one in every])
    times = _joined([one.times for _, one in every]) if request.time else None
    labelled = np.concatenate([one.labelled for _, one in every])
    newest = newest_versions(keys, span, times)[labelled]
    dropped["older_version"] = int((~newest).sum())
    return np.flatnonzero(newest)


def _part(facts: RowFacts, places: Places) -> RowFacts:
    """The same of some rows."""

    def at(values: Any) -> Any:
        return None if values is None else values[places]

    return RowFacts(
        facts.rows[places],
        at(facts.keys),
        at(facts.entities),
        at(facts.alike),
        at(facts.judged),
        at(facts.known_span),
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


def _empty(what: str, dropped: dict[str, int], request: PrepareRequest) -> SourceError:
    told = sorted(((rows, why) for why, rows in dropped.items() if rows), reverse=True)
    lost = "; ".join(f"{rows:,} rows {LEFT_OUT[why]}" for rows, why in told)
    return SourceError(
        "PREPARE-EMPTY",
        "the prepared tables",
        f"there must be {what}",
        f"none is left: {lost}" if lost else "none is left",
        _what_to_do(dropped, request),
    )


def _what_to_do(dropped: dict[str, int], request: PrepareRequest) -> str:
    """Advice by what took the most rows."""
    why = max(dropped, key=lambda reason: dropped[reason])
    if not dropped[why]:
        return "Widen the window or the holdout, or look at the data report"
    if why == "entity_in_holdout":
        return (
            f"Every entity ({', '.join(request.entity)}) comes back in each span, so no span holds "
            "others: hold out entities instead of spans with holdout.fraction: 0.2, or leave out "
            "entity where a row of the same one may be predicted from its past"
        )
    if why == "older_version":
        return (
            f"Each span delivers every row anew (key: {', '.join(request.key)}), so its newest "
            "version is in the holdout: divide the rows with holdout.fraction: 0.2"
        )
    if why == "target_missing":
        return "Wait for labels (window.skip_recent), or correct the target"
    return "Widen the window or the holdout, or look at the data report"
