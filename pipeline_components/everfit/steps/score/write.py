"""Batches of predictions as a Parquet or CSV file, with the columns that name each row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from everfit.contracts.errors import UserError, shortlist
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.steps.score.destination import Form

ROW = "row"
"""Where no column names a row: its place in the span, from 1."""


def key_columns(spec: PipelineSpec) -> tuple[str, ...]:
    """The columns that name a row: the spec's key and time, and what the prediction log joins by.

    Examples
    --------
    >>> from everfit.contracts.spec.pipeline import PipelineSpec
    >>> spec = PipelineSpec.model_validate({
    ...     "name": "tips", "task": "binary", "target": "tip", "source": {"uri": "trips/*.csv"},
    ...     "time": "at", "key": ["trip"], "gate": {"superior_by": "1%", "baseline": "prior"},
    ... })
    >>> key_columns(spec)
    ('trip', 'at')
    """
    log = spec.monitor.predictions
    joined = (*log.key, *([log.time] if log.time else [])) if log else ()
    given = (*spec.key, *joined, *([spec.time] if spec.time else []))
    return tuple(name for name in dict.fromkeys(given) if name not in OWN)


OWN = ("span", "prediction", "version", "scored_at")
"""Columns of every file, beside keys and probabilities."""


def table_schema(keys: Mapping[str, Any], answers: Mapping[str, Any], *, numbered: bool) -> Any:
    """The columns of a file.

    Parameters
    ----------
    keys, answers : mapping
        Column → Arrow type.
    numbered : bool
        Whether to number the rows, because nothing else names them.

    Raises
    ------
    UserError
        If a key has the name of a column that is written.
    """
    taken = [name for name in keys if name in answers or name == ROW]
    if taken:
        raise UserError(
            "SCORE-COLUMNS",
            shortlist(taken),
            "a column that names a row must not have the name of one that is written",
            f"{shortlist([*OWN, *answers, ROW])} are written",
            "Rename it at the source",
        )
    fields = [pa.field(name, kind) for name, kind in keys.items()]
    fields += [pa.field(ROW, pa.int64())] if numbered else []
    fields += [pa.field(name, kind) for name, kind in answers.items()]
    fields += [
        pa.field("version", pa.int64()),
        pa.field("scored_at", pa.timestamp("us", "UTC")),
        pa.field("span", pa.string()),
    ]
    return pa.schema(fields)


class Rows:
    """Puts batches together: keys, answers, and what is the same in every row.

    Parameters
    ----------
    schema : pyarrow.Schema
    version : int
    scored_at : datetime
    span : str
    """

    def __init__(self, schema: Any, version: int, scored_at: datetime, span: str) -> None:
        self.schema, self._done = schema, 0
        self._same = {"version": version, "scored_at": scored_at, "span": span}

    def batch(self, keys: Sequence[Any], answers: Sequence[Any], rows: int) -> Any:
        """A record batch of the schema."""
        columns = list(keys)
        if ROW in self.schema.names:
            columns.append(pa.array(range(self._done + 1, self._done + rows + 1), pa.int64()))
        columns += answers
        for name, value in self._same.items():
            columns.append(pa.repeat(pa.scalar(value, self.schema.field(name).type), rows))
        self._done += rows
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)


@contextmanager
def writer(path: Path, schema: Any, form: Form) -> Iterator[Any]:
    """What takes the batches: ``write_batch``."""
    if form == "csv":
        from pyarrow import csv

        with csv.CSVWriter(path, schema) as text:
            yield text
    else:
        with pq.ParquetWriter(path, schema, compression="snappy", store_schema=False) as table:
            yield table
