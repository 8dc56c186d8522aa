"""Reads what gate checks assess: single columns of the tables, the losses, the clean process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from everfit.contracts.errors import IntegrityError
from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.planning import ChampionRef
from everfit.contracts.messages.requests import GateRequest
from everfit.data.tables.entity_digests import column_kinds, read_entities, read_keys
from everfit.data.tables.frames import PIECE, ROW, SHOWN, WEIGHT
from everfit.engine.context import Context
from everfit.ml.model.class_names import class_text
from everfit.steps.gate.evidence.candidate import open_candidate
from everfit.steps.gate.evidence.evidence import (
    Delivery,
    Evidence,
    Identities,
    Losses,
    Missing,
    Reads,
    Times,
)
from everfit.steps.gate.evidence.serve_in_clean_process import try_serving
from everfit.steps.gate.finding import NotAssessed

ARROW_TYPES = {
    "int64": "integer",
    "double": "float",
    "bool": "boolean",
    "string": "string",
    "timestamp[us]": "timestamp",
}
"""The types of a prepared table by their words."""

Read = TypeVar("Read")


def read_evidence(request: GateRequest, context: Context) -> Evidence:
    """Gather everything; what is damaged or absent becomes ``Missing`` with its reason.

    Raises
    ------
    Unavailable
        If the store does not answer.
    """
    prepared, evaluated, champion = request.prepared, request.evaluated, request.champion

    def rows_of(artifact: Artifact, what: str) -> Any | Missing:
        return attempt(what, lambda: read_columns(artifact, (ROW,), context)[0])

    def losses() -> Losses:
        weight = (WEIGHT,) if prepared.weights is not None else ()
        names = (ROW, "candidate", "baseline", *weight)
        return Losses(*read_columns(evaluated.losses, names, context))

    served = try_serving(
        context.store,
        evaluated.candidate.model,
        context.scratch,
        sample=evaluated.sample.digest,
        predictions=evaluated.predictions.digest,
        task=request.task,
        estimators=request.estimators,
        timed=request.gate.max_latency_ms is not None,
    )
    return Evidence(
        request=request,
        losses=attempt("the row losses", losses),
        holdout_rows=rows_of(prepared.holdout, "the holdout table"),
        train_rows=rows_of(prepared.train, "the training table"),
        champion_rows=None
        if champion is None
        else rows_of(champion.train, f"the training table of champion v{champion.version}"),
        predictions=attempt(
            "the sample predictions",
            lambda: json.loads(context.store.get(evaluated.predictions.digest)),
        ),
        served=served,
        entities=_digests_of(
            request.entity, "the pipeline declares no entity", read_entities, request, context
        ),
        keys=_digests_of(request.key, "the pipeline declares no key", read_keys, request, context),
        times=_times(request, context),
        delivery=attempt(
            "the tables",
            lambda: Delivery(
                read_columns(prepared.holdout, (SHOWN,), context)[0],
                *read_columns(prepared.train, (SHOWN, PIECE), context),
            ),
        ),
        champion_delivery=None
        if champion is None
        else attempt(
            f"the training table of champion v{champion.version}",
            lambda: Delivery(
                read_columns(prepared.holdout, (ROW,), context)[0],
                *read_columns(champion.train, (ROW, PIECE), context),
            ),
        ),
        champion_reads=None
        if champion is None
        else attempt(
            f"the training table of champion v{champion.version}",
            lambda: _champion_reads(request, champion, context),
        ),
        candidate=(lambda: open_candidate(request, context)) if request.gate.checks else None,
    )


def _digests_of(
    columns: tuple[str, ...],
    without: str,
    read_digests: Callable[[Path, tuple[str, ...]], Any],
    request: GateRequest,
    context: Context,
) -> Identities | Missing:
    """Digests of some columns, of all tables that have them in the same kinds."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not columns:
        return Missing(without)
    kinds: dict[str, str] = {}

    def read(artifact: Artifact) -> Any:
        path = context.store.local(artifact.digest, context.scratch)
        found = column_kinds(pq.read_schema(path), columns)
        if absent := sorted(set(columns) - set(found)):
            raise NotAssessed(f"{artifact.name} has no column {absent[0]}")
        for name, kind in found.items():
            if kinds.setdefault(name, kind) != kind:
                raise NotAssessed(f"{name} is {kind} in {artifact.name}, {kinds[name]} elsewhere")
        return pa.array(read_digests(path, columns))

    champion, prepared = request.champion, request.prepared
    return Identities(
        holdout=attempt("the holdout table", lambda: read(prepared.holdout)),
        train=attempt("the training table", lambda: read(prepared.train)),
        champion=None
        if champion is None
        else attempt(
            f"the training table of champion v{champion.version}", lambda: read(champion.train)
        ),
    )


def _times(request: GateRequest, context: Context) -> Times | Missing:
    """When the rows of each table were, where the holdout has spans of its own."""
    if request.time is None or not request.holdout:
        return Missing("the pipeline declares no time, or no spans to hold out")
    name = request.time

    def read(artifact: Artifact) -> Any:
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = context.store.local(artifact.digest, context.scratch)
        if name not in pq.read_schema(path).names:
            raise NotAssessed(f"{artifact.name} has no column {name}")
        column = pq.read_table(path, columns=[name]).column(0).drop_null().combine_chunks()
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("us")).cast(pa.int64())
        return column

    champion, prepared = request.champion, request.prepared
    return Times(
        holdout=attempt("the holdout table", lambda: read(prepared.holdout)),
        train=attempt("the training table", lambda: read(prepared.train)),
        champion=None
        if champion is None
        else attempt(
            f"the training table of champion v{champion.version}", lambda: read(champion.train)
        ),
    )


def _champion_reads(request: GateRequest, champion: ChampionRef, context: Context) -> Reads:
    """The champion's signature; of an old version that recorded none, from its table."""
    import pyarrow.parquet as pq

    path = context.store.local(champion.train.digest, context.scratch)
    types = {
        field.name: ARROW_TYPES.get(str(field.type), str(field.type))
        for field in pq.read_schema(path)
    }
    target = next((c.name for c in request.prepared.columns if c.role == "target"), "")
    classes = None
    if request.task != "regression" and target in types:
        values = pq.read_table(path, columns=[target]).column(target)
        classes = tuple(sorted(class_text(value.as_py()) for value in values.unique()))
    known = champion.signature or {name: types[name] for name in champion.features if name in types}
    if set(champion.features) - set(known):
        raise NotAssessed(f"the types of what champion v{champion.version} reads are not known")
    return Reads(known, types.get(target), classes)


def read_columns(artifact: Artifact, names: tuple[str, ...], context: Context) -> tuple[Any, ...]:
    """Columns of a stored Parquet file as Arrow columns; nothing else of it is read.

    Raises
    ------
    NotAssessed
        If the file lacks one of them, or one holds a missing value.
    """
    import pyarrow.parquet as pq

    path = context.store.local(artifact.digest, context.scratch)
    with pq.ParquetFile(path) as file:
        absent = [name for name in names if name not in file.schema_arrow.names]
        if absent:
            raise NotAssessed(f"{artifact.name} has no column {absent[0]}")
        table = file.read(columns=list(names))
    columns = tuple(table.column(name).combine_chunks() for name in names)
    for name, column in zip(names, columns, strict=True):
        if name == ROW and column.null_count:
            raise NotAssessed(f"{column.null_count:,} rows of {artifact.name} have no digest")
    return columns


def attempt(what: str, read: Callable[[], Read]) -> Read | Missing:
    """What ``read`` gives, or why it could not; an unreachable store is not caught."""
    try:
        return read()
    except NotAssessed as reason:
        return Missing(str(reason))
    except IntegrityError as error:
        return Missing(f"{what} could not be read: {error.must}; {error.found}")
    except (ValueError, OSError) as error:
        # Damaged JSON is a ValueError, damaged Parquet either; a disk's own error has a number.
        if getattr(error, "errno", None) is not None:
            raise
        return Missing(f"{what} could not be read: it is damaged")
