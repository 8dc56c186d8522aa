"""The target of one span: its statistics, and the features that give it away."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from everfit.contracts.base import Frozen
from everfit.contracts.errors import UserError
from everfit.contracts.messages.statistics import ColumnStatistics
from everfit.contracts.spec.expression import columns_of
from everfit.contracts.spec.pipeline import FeatureSpec, TargetSpec
from everfit.ml.profiles.column_profile import ColumnProfile, column_type, numeric_values
from everfit.steps.validate.leaks import find_leaks

SAMPLE = 20_000
"""Rows that are looked at for leaks."""

_PLACES = 4


class TargetProfile(Frozen):
    """What is known of a span's target."""

    statistics: ColumnStatistics | None = Field(description="None: no such column")
    problem: str | None = Field(None, description="why the target cannot be computed")
    leaks: dict[str, str] = Field(default_factory=dict, description="feature → a sentence")


def profile_target(
    path: Path,
    target: TargetSpec,
    features: FeatureSpec,
    known: Sequence[ColumnStatistics],
    time: str | None,
) -> TargetProfile:
    """Look at a target and its features.

    Parameters
    ----------
    path : Path
        The span's Parquet file.
    known : sequence of ColumnStatistics
        Of the file's columns: a target that is a column is not read again.
    time : str or None
        The timestamp column; known at prediction, so it is no leak.
    """
    present = {column.name: column for column in known}
    needed = columns_of(target.expression) if target.expression else frozenset({target.name})
    missing = sorted(needed - set(present))
    if missing:
        return TargetProfile(
            statistics=None, problem=f"the target needs {missing[0]!r}, which is not there"
        )
    try:
        statistics = _computed(path, target, needed) if target.expression else present[target.name]
    except UserError as error:
        return TargetProfile(statistics=None, problem=error.line)
    if statistics.all_missing or statistics.distinct < 2:
        return TargetProfile(statistics=statistics)
    shown = [
        name
        for name, column in present.items()
        if name not in {target.name, time, *features.drop} and not column.all_missing
    ]
    sample = _sample(path, sorted({*shown, *needed, *_derived_from(features, present)}))
    values, derived = _evaluated(sample, target, features)
    columns = {name: _values(sample.column(name)) for name in shown} | derived
    return TargetProfile(statistics=statistics, leaks=find_leaks(values, columns))


def _computed(path: Path, target: TargetSpec, needed: frozenset[str]) -> ColumnStatistics:
    from everfit.data.tables.evaluate_expression import evaluate
    from everfit.data.tables.frames import read_table

    assert target.expression
    series = evaluate(target.expression, read_table(path, columns=sorted(needed)))
    column = pa.array(series, from_pandas=True)
    profile = ColumnProfile(target.name, column.type)
    profile.add(column)
    return profile.statistics()


def _derived_from(features: FeatureSpec, present: dict[str, ColumnStatistics]) -> set[str]:
    """Columns of the derived features that can be computed from the file alone."""
    needed: set[str] = set()
    for text in features.derive.values():
        if columns_of(text) <= set(present):
            needed |= columns_of(text)
    return needed


def _sample(path: Path, columns: list[str]) -> Any:
    """Rows from the beginnings of a few row groups spread over the file."""
    with pq.ParquetFile(path, pre_buffer=False) as file:
        groups = file.num_row_groups
        places = sorted({round(i * (groups - 1) / (_PLACES - 1)) for i in range(_PLACES)})
        parts = []
        for group in places:
            batches = file.iter_batches(
                SAMPLE // len(places), row_groups=[group], columns=columns, use_threads=False
            )
            parts.append(pa.Table.from_batches([next(batches)]))
    return pa.concat_tables(parts)


def _evaluated(
    sample: Any, target: TargetSpec, features: FeatureSpec
) -> tuple[Any, dict[str, Any]]:
    """The target and the derived features of the sample."""
    if not target.expression and not features.derive:
        return _values(sample.column(target.name)), {}
    from everfit.data.tables.evaluate_expression import evaluate
    from everfit.data.tables.frames import to_frame

    frame = to_frame(sample)
    values = (
        _values(pa.array(evaluate(target.expression, frame), from_pandas=True))
        if target.expression
        else _values(sample.column(target.name))
    )
    derived = {}
    for name, text in features.derive.items():
        if columns_of(text) <= set(frame.columns):
            try:
                derived[name] = _values(pa.array(evaluate(text, frame), from_pandas=True))
            except UserError:
                continue  # prepare says so, with the expression in front of it
    return values, derived


def _values(column: Any) -> Any:
    """float64 with NaN where missing, or codes of texts with -1 where missing; shape (n,)."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    kind = column_type(column.type)
    if kind == "string":
        encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        return encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    values = np.full(len(column), np.nan)
    if column.null_count < len(column):
        present = column.is_valid().to_numpy(zero_copy_only=False)
        values[present] = numeric_values(column.drop_null(), kind).astype(np.float64)
    return values
