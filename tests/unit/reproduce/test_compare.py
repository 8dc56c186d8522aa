"""What differs between tables, and how far predictions are apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from everfit.data.tables.frames import ROW
from everfit.operations.reproduce.compare_models import largest_difference
from everfit.operations.reproduce.compare_tables import table_differences

COLUMNS = {
    "fare": pa.array([1.0, float("nan"), None, 4.5]),
    "zone": pa.array(["a", None, "c", "d"]),
    ROW: pa.array([11, 12, 13, 14], pa.uint64()),
}


def differences(folder: Path, **other: object) -> tuple[str, ...]:
    """Of the columns above and the same with some replaced; None takes one away."""
    changed = {k: v for k, v in {**COLUMNS, **other}.items() if v is not None}
    pq.write_table(pa.table(COLUMNS), folder / "one.parquet")
    pq.write_table(pa.table(changed), folder / "other.parquet", compression="zstd")
    return table_differences(folder / "one.parquet", folder / "other.parquet")


def test_other_bytes_with_the_same_values_are_no_difference(tmp_path):
    assert differences(tmp_path) == ()
    assert (tmp_path / "one.parquet").read_bytes() != (tmp_path / "other.parquet").read_bytes()


def test_values_are_counted_by_column(tmp_path):
    changed = pa.array([1.5, float("nan"), 0.0, 4.5])
    assert differences(tmp_path, fare=changed) == ("column fare: 2 of 4 values differ",)
    nothing = pa.array([1.0, None, None, 4.5])  # not a number is not nothing
    assert differences(tmp_path, fare=nothing) == ("column fare: 1 of 4 values differ",)
    texts = pa.array(["a", None, "C", None])
    assert differences(tmp_path, zone=texts) == ("column zone: 2 of 4 values differ",)


def test_columns_and_types_are_named(tmp_path):
    assert differences(tmp_path, zone=None) == ("columns lost: zone",)
    assert differences(tmp_path, speed=COLUMNS["fare"]) == ("columns new: speed",)
    numbers = pa.array([1, 2, 3, 4])
    assert differences(tmp_path, fare=numbers) == ("types: fare double → int64",)


def test_rows_lost_new_and_moved_are_told_apart(tmp_path):
    rows = {ROW: pa.array([11, 12, 13, 99], pa.uint64())}
    assert differences(tmp_path, **rows) == ("1 rows are not made again, 1 are new",)
    rows = {ROW: pa.array([12, 11, 13, 14], pa.uint64())}
    assert differences(tmp_path, **rows) == ("the same rows in another order",)
    fewer = {name: column[:3] for name, column in COLUMNS.items()}
    assert differences(tmp_path, **fewer) == (
        "3 rows, recorded are 4",
        "1 rows are not made again, 0 are new",
    )


def test_the_largest_difference_by_hand():
    one, other = np.array([1.0, -4.0, 2.0]), np.array([1.5, -4.0, 1.0])
    assert largest_difference(one, other) == (1.0, 0.25)
    assert largest_difference(one, one.copy()) == (0.0, 0.0)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_on_one_side_is_never_near(bad):
    absolute, relative = largest_difference(np.array([1.0, 2.0]), np.array([1.0, bad]))
    assert absolute > 1e300 and relative > 1e300
    same = np.array([1.0, bad])
    assert largest_difference(same, same.copy()) == (0.0, 0.0)


floats = st.floats(-1e9, 1e9)


@given(arrays(np.float64, st.integers(1, 20), elements=floats), st.data())
def test_the_difference_bounds_every_row(one, data):
    other = data.draw(arrays(np.float64, len(one), elements=floats))
    absolute, relative = largest_difference(one, other)
    assert absolute == max(abs(a - b) for a, b in zip(one.tolist(), other.tolist(), strict=True))
    assert absolute >= 0 and relative >= 0
    assert np.isfinite([absolute, relative]).all()
    assert (absolute == 0) == (relative == 0) == bool(np.array_equal(one, other))
