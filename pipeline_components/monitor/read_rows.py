"""The rows of a span that the champion has not seen, with their labels where there are any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline_components.contracts.errors import UserError
from pipeline_components.contracts.expression import columns_of
from pipeline_components.contracts.spec import PipelineSpec
from pipeline_components.scoring.answers import codes
from pipeline_components.scoring.resampling import Floats, Integers
from pipeline_components.table.evaluate_expression import evaluate
from pipeline_components.table.frames import to_frame
from pipeline_components.table.row_digests import Hashes, row_digests

if TYPE_CHECKING:
    import pandas as pd

BATCH_ROWS = 131_072


@dataclass(frozen=True)
class Rows:
    """Rows without repetitions, in order of time where there is one.

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
    repeated : int
        Rows left out because they repeat another.
    """

    frame: pd.DataFrame
    target: Any
    labelled: NDArray[np.bool_]
    digests: Hashes
    seen: int = 0
    repeated: int = 0

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
    seen: Hashes | None = None,
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
    seen, only : uint64 array, optional
        Digests of rows to leave out, and of those to keep.
    """
    reads = spec.target_columns or {spec.target.name}
    wanted = {*columns, *reads, *spec.entity, *([spec.time] if spec.time else [])}
    digests, batches = [], []
    with pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        keep = [name for name in names if name in wanted]
        for batch in file.iter_batches(BATCH_ROWS, use_threads=False):
            digests.append(row_digests(batch, names))
            batches.append(batch.select(keep))
        schema = pa.schema([file.schema_arrow.field(name) for name in keep])
    rows = np.concatenate(digests) if digests else np.zeros(0, dtype=np.uint64)
    first = np.sort(np.unique(rows, return_index=True)[1])
    repeated = len(rows) - len(first)
    fresh = np.ones(len(first), dtype=bool)
    if seen is not None:
        fresh = ~np.isin(rows[first], seen)
    chosen = first[fresh]
    if only is not None:
        chosen = chosen[np.isin(rows[chosen], only)]
    table = pa.Table.from_batches(batches, schema=schema).take(pa.array(chosen))
    del batches
    frame = to_frame(table)
    rows = rows[chosen]
    order = _order(frame, spec.time, rows)
    frame = frame.iloc[order].reset_index(drop=True)
    target, labelled = _target(frame, spec)
    return Rows(frame, target, labelled, rows[order], int((~fresh).sum()), repeated)


def _order(frame: pd.DataFrame, time: str | None, rows: Hashes) -> Integers:
    """By time, ties by digest; rows without a time first, as the prepared tables have it."""
    if time is None or time not in frame:
        return np.asarray(np.argsort(rows, kind="stable"))
    values = frame[time]
    times = values.rank(method="dense", na_option="top").to_numpy()
    return np.asarray(np.lexsort((rows, times)))


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
