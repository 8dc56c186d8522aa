"""Parquet comes in as the few types every component relies on."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from everfit.data.tables.frames import read_table, to_frame, type_name

DAY = dt.datetime(2020, 1, 1, 12)
COLUMNS = {
    "small": (pa.array([1, 2], pa.int8()), "int64", [1, 2]),
    "gaps": (pa.array([1, None], pa.int64()), "float64", [1.0, None]),
    "single": (pa.array([1.5, None], pa.float32()), "float64", [1.5, None]),
    "money": (pa.array([Decimal("1.5"), None]), "float64", [1.5, None]),
    "yes": (pa.array([True, False]), "bool", [True, False]),
    "maybe": (pa.array([True, None]), "float64", [1.0, None]),
    "text": (pa.array(["a", None]), "str", ["a", None]),
    "coded": (pa.array(["x", "x"]).dictionary_encode(), "str", ["x", "x"]),
    "nanos": (pa.array([DAY, None], pa.timestamp("ns")), "datetime64[us]", [DAY, None]),
    "zoned": (
        pa.array([DAY.replace(tzinfo=dt.UTC), None], pa.timestamp("ms", "America/New_York")),
        "datetime64[us]",
        [DAY, None],
    ),
    "date": (pa.array([DAY.date(), None]), "datetime64[us]", [dt.datetime(2020, 1, 1), None]),
    "nothing": (pa.nulls(2), "float64", [None, None]),
    "row": (pa.array([1, 2**64 - 1], pa.uint64()), "uint64", [1, 2**64 - 1]),
}


@pytest.fixture
def path(tmp_path):
    pq.write_table(pa.table({k: v[0] for k, v in COLUMNS.items()}), tmp_path / "t.parquet")
    return tmp_path / "t.parquet"


def test_every_type_has_its_place(path):
    frame = read_table(path)
    for name, (_, dtype, values) in COLUMNS.items():
        assert str(frame[name].dtype) == dtype, name
        assert [None if pd.isna(v) else v for v in frame[name].tolist()] == values, name


def test_a_record_batch_gives_what_the_file_gives(path):
    (batch,) = pq.read_table(path).to_batches()
    pd.testing.assert_frame_equal(to_frame(batch), read_table(path))


def test_columns_come_in_the_order_asked_for(path):
    assert list(read_table(path, ["text", "small"]).columns) == ["text", "small"]
    with pytest.raises(KeyError, match="no column 'absent'"):
        read_table(path, ["absent"])


def test_types_have_words():
    frame = pd.DataFrame({"i": [1], "f": [1.5], "b": [True], "s": ["x"]})
    frame["t"] = pd.Series([DAY], dtype="datetime64[us]")
    words = [type_name(dtype) for dtype in frame.dtypes]
    assert words == ["integer", "float", "boolean", "string", "timestamp"]
    with pytest.raises(TypeError):
        type_name(np.dtype("complex128"))
