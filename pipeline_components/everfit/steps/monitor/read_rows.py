"""The observations of a span that the champion was not trained on, with their labels if any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from everfit.contracts.errors import UserError
from everfit.contracts.spec.expression import columns_of
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.data.tables.evaluate_expression import evaluate
from everfit.data.tables.frames import to_frame
from everfit.data.tables.redelivery import redelivery
from everfit.data.tables.row_digests import Hashes, newest_versions, numbered, row_digests
from everfit.ml.scoring.predictions import codes
from everfit.ml.scoring.resampling import Floats, Integers

if TYPE_CHECKING:
    import pandas as pd

BATCH_ROWS = 131_072


@dataclass(frozen=True)
class Trained:
    """What the champion was trained on.

    Attributes
    ----------
    rows : (n,) uint64 array
        Content digests.
    piece : (n,) int array
        Which part of its window each row is from.
    keys : (n,) uint64 array or None
        None where no key is declared, or its table does not have the columns.
    """

    rows: Hashes
    piece: Integers
    keys: Hashes | None = None


@dataclass(frozen=True)
class Rows:
    """Observations, in order of time where there is one.

    Attributes
    ----------
    frame : (n, ...) DataFrame
        The columns asked for, as far as the span has them.
    target : (n,) array or Series
        In its own type; missing where there is no label yet.
    labelled : (n,) bool array
    digests : (n,) uint64 array
    seen : int
        Rows left out because the champion was trained on them.
    older : int
        Rows left out because the span holds a newer version of them, by the pipeline's key.
    keys : (n,) uint64 array or None
        Digests of the key, where one is declared and the span has it.
    weight : (n,) float64 array or None
        How much each row counts, 0 where that cannot be told; None: all the same.
    unweighed : int
        Rows whose weight is no finite number of at least 0.
    """

    frame: pd.DataFrame
    target: Any
    labelled: NDArray[np.bool_]
    digests: Hashes
    seen: int = 0
    older: int = 0
    keys: Hashes | None = None
    weight: Floats | None = None
    unweighed: int = 0

    @property
    def share(self) -> float:
        """Of rows that have a label."""
        return float(self.labelled.mean()) if len(self.labelled) else 0.0

    def truth(self, classes: Sequence[str] | None) -> Floats | Integers:
        """Targets of the labelled rows: numbers, or positions among ``classes`` (-1: none)."""
        if classes is None:
            return np.asarray(self.target[self.labelled], dtype=np.float64)
        return codes(self.target[self.labelled], classes)


def read_rows(
    path: Path,
    spec: PipelineSpec,
    columns: Sequence[str],
    seen: Trained | None = None,
    only: Hashes | None = None,
) -> Rows:
    """Read a snapshot.

    Parameters
    ----------
    path : Path
        Parquet.
    spec : PipelineSpec
        Whose target, time and entity are read too.
    columns : sequence of str
        What the champion's model reads, and keys.
    seen : Trained, optional
        Rows to leave out: by key where one is declared, else as often as the champion was trained
        on a row, where more of them come again than chance brings.
    only : uint64 array, optional
        Digests of the rows to keep, each as often as it is there.
    """
    reads = spec.target_columns or {spec.target.name}
    wanted = {*columns, *reads, *spec.entity, *spec.key, *([spec.time] if spec.time else [])}
    wanted |= columns_of(spec.weight) if spec.weight else frozenset()
    digests, batches = [], []
    with pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        keep = [name for name in names if name in wanted]
        for batch in file.iter_batches(BATCH_ROWS, use_threads=False):
            digests.append(row_digests(batch, names))
            batches.append(batch.select(keep))
        schema = pa.schema([file.schema_arrow.field(name) for name in keep])
    rows = np.concatenate(digests) if digests else np.zeros(0, dtype=np.uint64)
    table = pa.Table.from_batches(batches, schema=schema)
    del batches
    named = set(spec.key) <= set(names) and spec.key
    keys = row_digests(table, sorted(spec.key)) if named else None
    chosen = np.arange(len(rows))
    if keys is not None:
        chosen = np.flatnonzero(_newest(keys, table, spec.time))
    older = len(rows) - len(chosen)
    known = np.zeros(len(chosen), dtype=bool)
    if seen is not None:
        known = _seen(rows[chosen], None if keys is None else keys[chosen], seen)
    left_out = int(known.sum())
    chosen = chosen[~known]
    keys = None if keys is None else keys[chosen]
    if only is not None:
        kept = np.isin(numbered(rows[chosen]), numbered(only))
        chosen, keys = chosen[kept], None if keys is None else keys[kept]
    frame = to_frame(table.take(pa.array(chosen)))
    rows = rows[chosen]
    order = _order(frame, spec.time, numbered(rows))
    frame = frame.iloc[order].reset_index(drop=True)
    target, labelled = _target(frame, spec)
    keys = None if keys is None else keys[order]
    weight, unweighed = _weights(frame, spec.weight)
    return Rows(frame, target, labelled, rows[order], left_out, older, keys, weight, unweighed)


def _newest(keys: Hashes, table: Any, time: str | None) -> NDArray[np.bool_]:
    times = None
    if time is not None and time in table.column_names:
        frame = to_frame(table.select([time]))
        times = frame[time].rank(method="dense", na_option="top").to_numpy().astype(np.int64)
    return newest_versions(keys, np.zeros(len(keys), dtype=np.int64), times)


def _seen(rows: Hashes, keys: Hashes | None, seen: Trained) -> NDArray[np.bool_]:
    """Which rows the champion was trained on."""
    if keys is not None and seen.keys is not None:
        return np.asarray(np.isin(keys, seen.keys) & (keys != 0))
    found = redelivery(rows, seen.rows, seen.piece)
    if found is not None and not found.is_large:
        return np.zeros(len(rows), dtype=bool)
    # A file that has grown holds its old rows again, each as often as before.
    return np.isin(numbered(rows), numbered(seen.rows))


def _order(frame: pd.DataFrame, time: str | None, rows: Hashes) -> Integers:
    """By time, ties by digest; rows without a time first, as the prepared tables have it."""
    if time is None or time not in frame:
        return np.asarray(np.argsort(rows, kind="stable"))
    values = frame[time]
    times = values.rank(method="dense", na_option="top").to_numpy()
    return np.asarray(np.lexsort((rows, times)))


def _weights(frame: pd.DataFrame, text: str | None) -> tuple[Floats | None, int]:
    """The weight of each row, 0 where it is none, and how many those are."""
    import pandas as pd

    if text is None:
        return None, 0
    try:
        found = pd.Series(evaluate(text, frame), index=frame.index)
        values = pd.to_numeric(found, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    except UserError:  # the span lacks a column of it
        values = np.full(len(frame), np.nan)
    fine = np.isfinite(values) & (values >= 0)
    return np.where(fine, values, 0.0), int((~fine).sum())


def _target(frame: pd.DataFrame, spec: PipelineSpec) -> tuple[Any, NDArray[np.bool_]]:
    """The target of each row, and whether it is there."""
    import pandas as pd

    nothing = np.full(len(frame), np.nan), np.zeros(len(frame), dtype=bool)
    if spec.target.expression is not None:
        if not columns_of(spec.target.expression) <= set(frame.columns):
            return nothing
        try:
            values = pd.Series(evaluate(spec.target.expression, frame), index=frame.index)
        except UserError:
            return nothing
    elif spec.target.name in frame:
        values = frame[spec.target.name]
    else:
        return nothing
    if spec.task == "regression":
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan)
        return numbers, np.isfinite(numbers)
    labelled = values.notna().to_numpy()
    if pd.api.types.is_float_dtype(values.dtype):
        labelled = labelled & np.isfinite(values.to_numpy(np.float64, na_value=np.nan))
    return values, labelled
