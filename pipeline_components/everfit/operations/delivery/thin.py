"""Fewer rows of a span: chosen by their content, whole entities, the same ones every time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from everfit.contracts.messages.spans import Snapshot
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.data.tables.entity_digests import entity_digests
from everfit.data.tables.row_digests import Hashes, row_digests, scatter
from everfit.engine.context import Context
from everfit.steps.extract.parquet_write import write_parquet

SALT = 0x73616D706C65
"""Makes being in a sample independent of being held out, which a digest decides too."""

BATCH_ROWS = 131_072


def chosen(keys: Hashes, rows: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """The rows whose scattered keys are the smallest.

    Parameters
    ----------
    keys : uint64 array of shape (n,)
        Digest of a row's entity, or of its content. Rows with one key stay together.
    rows : int
        So many, and those more that share the last one's key.

    Returns
    -------
    bool array of shape (n,)
    """
    if len(keys) <= rows:
        return np.ones(len(keys), dtype=bool)
    places = scatter(keys, salt=SALT)
    smallest: np.ndarray[Any, np.dtype[np.bool_]] = (
        places <= np.partition(places, rows - 1)[rows - 1]
    )
    return smallest


def thin(snapshot: Snapshot, spec: PipelineSpec, rows: int, context: Context) -> Snapshot:
    """A snapshot of at least ``rows`` of a span's rows, in their order; itself where it is small.

    Of a larger span memory holds a number for each row, and a batch.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    span = snapshot.span
    if span.rows <= rows:
        return snapshot
    target = context.scratch / "sample.parquet"
    path = context.store.local(span.digest, context.scratch)
    try:
        with pq.ParquetFile(path) as file:
            keys = np.concatenate([_keys(batch, spec.entity) for batch in _batches(file)])
            wanted = chosen(keys, rows)
            start = 0

            def kept() -> Any:
                nonlocal start
                for batch in _batches(file):
                    yield batch.filter(pa.array(wanted[start : start + batch.num_rows]))
                    start += batch.num_rows

            written = write_parquet(kept(), file.schema_arrow, target, spec.time)
        table = context.store.put("snapshot.parquet", target)
    finally:
        target.unlink(missing_ok=True)
        _forget(path, context)
    smaller = span.model_copy(
        update={
            "digest": table.digest,
            "rows": written.rows,
            "size": table.size,
            "time_min": written.time_min,
            "time_max": written.time_max,
        }
    )
    provenance = {**snapshot.provenance, "sample_of_rows": span.rows}
    return snapshot.model_copy(
        update={"span": smaller, "provenance": provenance, "times": written.times}
    )


def _batches(file: Any) -> Any:
    return file.iter_batches(BATCH_ROWS, use_threads=False)


def _keys(batch: Any, entity: tuple[str, ...]) -> Hashes:
    rows = row_digests(batch, batch.schema.names)
    return entity_digests(batch, entity, rows) if entity else rows


def _forget(path: Path, context: Context) -> None:
    """Remove what was fetched; a file of the store itself stays."""
    if path.is_relative_to(context.scratch):
        path.unlink(missing_ok=True)
