"""Recognizes rows that were evaluated before, by content: under any name, filter or column list.

Of each evaluation the ledger keeps a sample of rows as hashes of their values. Rows of a later one
are the same where all values agree in the columns that both have. Where rows agree by chance, as
in a table of few categories, that is allowed for: see ``EvaluatedTable.share_of``.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from everfit.contracts.messages.evaluations import EvaluatedRows
from everfit.data.tables.row_digests import Hashes, row_digests, scatter
from everfit.ml.holdout_budget.coverage import Stretch
from everfit.ml.holdout_budget.policy import EvaluatedRun

SAMPLED = 192
"""Rows kept of each evaluation."""
MOST_COLUMNS = 10
"""Columns kept beside the target: those with the most different values."""
GLANCE = 20_000
"""Rows by which the columns are chosen."""
TELLING = 0.1
"""Where fewer rows are different from all others, rows cannot be recognized by their content."""
CAREFUL = 3.0
"""Standard errors by which rows are rather taken for new."""
TRIMMED, BEYOND = 0.05, 0.25
"""Share of rows left out at either end of their times, and how far beyond the rest may reach."""

Cells = np.ndarray[Any, np.dtype[np.uint32]]


class EvaluatedTable:
    """The holdout table of an evaluation.

    Parameters
    ----------
    path : Path
        Parquet, as prepared.
    target : str
    features : sequence of str
        Columns that the model sees.
    time : str or None
        Orders the rows; two tables that differ in it alone hold the same rows.
    """

    def __init__(self, path: Path, target: str, features: Sequence[str], time: str | None) -> None:
        self._path, self._target, self._time = path, target, time
        self._features = [name for name in features if name != time]
        self._cells: dict[str, Cells] = {}
        self._shares: dict[tuple[str, ...], tuple[Hashes, float]] = {}

    def sample(self, run: EvaluatedRun) -> EvaluatedRows:
        """The rows by which this evaluation is recognized later; the same for the same rows."""
        columns = self._telling_columns()
        cells = np.column_stack([self._column(name) for name in (self._target, *columns)])
        rows = np.unique(cells, axis=0)
        chosen = rows[np.argsort(_joined(rows), kind="stable")[:SAMPLED]]
        text = base64.b64encode(chosen.astype("<u4").tobytes()).decode()
        return EvaluatedRows(
            run_key=run.run_key,
            pipeline=run.pipeline,
            target=run.target,
            columns=tuple(columns),
            rows=len(rows),
            cells=text,
        )

    def share_of(self, earlier: EvaluatedRows) -> float:
        """The share of these rows that were in an earlier evaluation, at least.

        Parameters
        ----------
        earlier : EvaluatedRows

        Returns
        -------
        float
            In [0, 1]; 0 where rows have too little of their own to be recognized.

        Notes
        -----
        A share ``u`` of these rows agrees with no other of them. A new row would agree with one of
        these with a probability of about ``c = 1 - u`` [1]_. So where a share ``m`` of the sampled
        rows is found again, the share that really is here is ``(m - c) / (1 - c)``. Only where
        ``m`` less three standard errors exceeds ``c`` with as many more: rows are not taken for old
        ones by accident.

        References
        ----------
        .. [1] I. J. Good, "The Population Frequencies of Species and the Estimation of Population
           Parameters", *Biometrika* 40, 1953.
        """
        common = tuple(name for name in earlier.columns if name in self._features)
        sampled = _read(earlier)
        if not len(sampled):
            return 0.0
        here, unique = self._projected(common)
        if unique < TELLING:
            return 0.0
        places = [0, *(1 + earlier.columns.index(name) for name in common)]
        found = float(np.isin(_joined(sampled[:, places]), here).mean())
        sure = found - CAREFUL * math.sqrt(found * (1 - found) / len(sampled))
        chance = 1 - unique
        most = chance + CAREFUL * math.sqrt(unique * chance / max(len(here), 1))
        if sure <= most:
            return 0.0
        return min((found - chance) / unique * earlier.rows / len(here), 1.0)

    def usual_times(self) -> Stretch | None:
        """Where the times of nearly all rows lie; None without a column of timestamps."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if self._time is None:
            return None
        column = pq.read_table(self._path, columns=[self._time]).column(0)
        if not pa.types.is_timestamp(column.type):
            return None
        values = column.cast(pa.timestamp("us")).drop_null().to_numpy().astype(np.int64)
        if not len(values):
            return None
        low = float(np.quantile(values, TRIMMED, method="higher"))
        high = float(np.quantile(values, 1 - TRIMMED, method="lower"))
        reach = BEYOND * max(high - low, 0.0)
        start, end = _moment(low - reach), _moment(high + reach)
        return (start, end) if start is not None and end is not None else None

    def _telling_columns(self) -> list[str]:
        import pyarrow.parquet as pq

        with pq.ParquetFile(self._path) as file:
            first = next(file.iter_batches(GLANCE, columns=self._features), None)
        if first is None:
            return []
        counts = {name: len(np.unique(_hashed(first, name))) for name in self._features}
        return sorted(sorted(counts, key=lambda name: (-counts[name], name))[:MOST_COLUMNS])

    def _projected(self, names: tuple[str, ...]) -> tuple[Hashes, float]:
        """Different rows by the target and these columns, and the share of rows that are alone."""
        if names not in self._shares:
            cells = np.column_stack([self._column(name) for name in (self._target, *names)])
            rows, counts = np.unique(_joined(cells), return_counts=True)
            unique = float((counts == 1).sum() / counts.sum()) if len(counts) else 0.0
            self._shares[names] = rows, unique
        return self._shares[names]

    def _column(self, name: str) -> Cells:
        import pyarrow.parquet as pq

        if name not in self._cells:
            self._cells[name] = _hashed(pq.read_table(self._path, columns=[name]), name)
        return self._cells[name]


def _hashed(table: Any, name: str) -> Cells:
    """A hash of each value of a column: the same for 7, 7.0 and true as 1, whatever its type."""
    return (row_digests(table, [name]) >> np.uint64(32)).astype(np.uint32)


def _joined(cells: Cells) -> Hashes:
    """One hash for each row of cells."""
    total = np.zeros(len(cells), dtype=np.uint64)
    for column in cells.T:
        total = scatter(total ^ column.astype(np.uint64), salt=1)
    return total


def _read(rows: EvaluatedRows) -> Cells:
    flat = np.frombuffer(base64.b64decode(rows.cells), dtype="<u4").astype(np.uint32)
    return flat.reshape(-1, 1 + len(rows.columns))


def _moment(microseconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(microseconds / 1e6, UTC)
    except (OverflowError, ValueError, OSError):  # beyond the year 9999
        return None
