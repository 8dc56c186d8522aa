"""What differs between a recorded table and the one that was made again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from everfit.contracts.errors import shortlist
from everfit.data.tables.frames import ROW


def table_differences(recorded: Path, found: Path) -> tuple[str, ...]:
    """Compare two prepared tables, which hold the digest of each row.

    Parameters
    ----------
    recorded, found : Path
        Parquet files.

    Returns
    -------
    tuple of str
        A line each; none where both hold the same rows and values in the same order.
    """
    import pyarrow.parquet as pq

    one, other = pq.read_table(recorded), pq.read_table(found)
    lines = _columns(one, other)
    rows, again = _row_digests(one), _row_digests(other)
    lost, new = np.setdiff1d(rows, again), np.setdiff1d(again, rows)
    if len(rows) != len(again):
        lines.append(f"{len(again):,} rows, recorded are {len(rows):,}")
    if len(lost) or len(new):
        lines.append(f"{len(lost):,} rows are not made again, {len(new):,} are new")
    elif not np.array_equal(rows, again):
        lines.append("the same rows in another order")
    else:
        lines += _values(one, other)
    return tuple(lines)


def _row_digests(table: Any) -> Any:
    return table.column(ROW).to_numpy() if ROW in table.column_names else np.zeros(0, np.uint64)


def _columns(one: Any, other: Any) -> list[str]:
    lines = []
    for what, names, than in (("lost", one, other), ("new", other, one)):
        if absent := [name for name in names.column_names if name not in than.column_names]:
            lines.append(f"columns {what}: {shortlist(absent)}")
    types = [
        f"{name} {one.schema.field(name).type} → {other.schema.field(name).type}"
        for name in one.column_names
        if name in other.column_names
        and one.schema.field(name).type != other.schema.field(name).type
    ]
    if types:
        lines.append(f"types: {shortlist(types)}")
    if not lines and one.column_names != other.column_names:
        lines.append("the same columns in another order")
    return lines


def _values(one: Any, other: Any) -> list[str]:
    """Columns of equally ordered rows whose values differ, with counts."""
    lines = []
    for name in one.column_names:
        if name not in other.column_names:
            continue
        mine, theirs = one.column(name), other.column(name)
        if mine.type == theirs.type and (count := _differing(mine, theirs)):
            lines.append(f"column {name}: {count:,} of {len(mine):,} values differ")
    return lines


def _differing(mine: Any, theirs: Any) -> int:
    import pyarrow as pa
    import pyarrow.compute as pc

    equal = pc.fill_null(pc.equal(mine, theirs), False)
    neither = pc.and_(pc.is_null(mine), pc.is_null(theirs))
    if pa.types.is_floating(mine.type):
        nan = pc.and_(pc.is_nan(mine), pc.is_nan(theirs))
        neither = pc.or_(neither, pc.fill_null(nan, False))
    same: int = pc.sum(pc.or_(equal, neither)).as_py() or 0
    return len(mine) - same
