"""A sample of rows of several snapshots: the same rows each time, and no file read twice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from everfit.contracts.base import digest_of
from everfit.contracts.messages.spans import Span
from everfit.data.tables.frames import to_frame
from everfit.engine.context import Context
from everfit.ml.profiles.cache import remove_copy

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

MOST_ROWS = 20_000
"""Rows of a side: more would change the picture by less than a pixel."""


def sample(
    context: Context, spans: Sequence[Span], columns: Sequence[str], most: int = MOST_ROWS
) -> pd.DataFrame:
    """At most so many rows of the spans together, each with the same chance.

    The digests of the spans choose the rows, so that a report made anew shows the same ones.

    Parameters
    ----------
    spans : sequence of Span
        Oldest first; the rows keep this order.
    columns : sequence of str
        Those to read; a span without one has it missing.

    Returns
    -------
    DataFrame
        With every column asked for that any span has.
    """
    import pandas as pd

    chosen = _chosen(spans, most)
    frames, begin = [], 0
    for span in spans:
        inside = chosen[(chosen >= begin) & (chosen < begin + span.rows)] - begin
        begin += span.rows
        if not len(inside):
            continue
        path = context.store.local(span.digest, context.scratch)
        try:
            frames.append(to_frame(read_rows(path, columns, inside)))
        finally:
            remove_copy(path, context)
    if not frames:
        return pd.DataFrame()
    return pd.concat(frames, ignore_index=True)


def read_rows(path: Path, columns: Sequence[str], rows: NDArray[np.int64]) -> pa.Table:
    """Some rows of a Parquet file; row groups that hold none of them are not read.

    Parameters
    ----------
    rows : (n,) int64 array
        Ascending.
    """
    with pq.ParquetFile(path) as file:
        keep = [name for name in file.schema_arrow.names if name in set(columns)]
        parts, begin = [], 0
        for group in range(file.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            inside = rows[(rows >= begin) & (rows < begin + size)] - begin
            begin += size
            if len(inside):
                table = file.read_row_group(group, columns=keep, use_threads=False)
                parts.append(table.take(pa.array(inside)))
        schema = pa.schema([file.schema_arrow.field(name) for name in keep])
    return pa.concat_tables(parts) if parts else schema.empty_table()


def _chosen(spans: Sequence[Span], most: int) -> NDArray[np.int64]:
    """Positions of the rows chosen among all rows of the spans, ascending."""
    total = sum(span.rows for span in spans)
    if total <= most:
        return np.arange(total, dtype=np.int64)
    seed = int(digest_of({"sample of": [span.digest for span in spans]})[:16], 16)
    found = np.random.default_rng(seed).choice(total, size=most, replace=False, shuffle=False)
    return np.sort(found).astype(np.int64)
