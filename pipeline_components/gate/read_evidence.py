"""Read what the checks look at: single columns of the tables, the losses, the clean process."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from pipeline_components.context import Context
from pipeline_components.contracts.artifacts import Artifact
from pipeline_components.contracts.errors import IntegrityError
from pipeline_components.contracts.requests import GateRequest

from .evidence import Evidence, Losses, Missing, NotAssessed
from .servability import try_serving

ROW = "__row"

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
        return Losses(*read_columns(evaluated.losses, (ROW, "candidate", "baseline"), context))

    served = try_serving(
        context.store,
        evaluated.candidate.model,
        context.scratch,
        sample=evaluated.sample.digest,
        predictions=evaluated.predictions.digest,
        task=request.task,
        estimators=request.estimators,
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
    )


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
