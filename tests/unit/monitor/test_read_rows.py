"""A span's rows as the prepared tables would have them, without what the champion has seen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.data.tables.row_digests import row_digests
from everfit.steps.monitor.read_rows import Trained, read_rows


def spec(**more):
    return PipelineSpec.model_validate(
        {
            "name": "p",
            "task": "regression",
            "target": "y",
            "time": "t",
            "source": {"uri": "{data}/*.csv"},
            "gate": {"superior_by": 0.1, "baseline": "mean"},
            **more,
        }
    )


@pytest.fixture
def write(tmp_path):
    def written(**columns):
        table = pa.table(columns)
        path = tmp_path / "span.parquet"
        pq.write_table(table, path, row_group_size=3)
        return path, row_digests(table, table.column_names)

    return written


TIMES = pd.to_datetime(["2020-01-03", "2020-01-01", None, "2020-01-02"]).astype("datetime64[us]")


def test_rows_come_in_order_of_time_and_equal_ones_are_observations(write):
    path, digests = write(
        x=[3.0, 1.0, 0.0, 2.0, 1.0],
        y=[30.0, 10.0, 5.0, 20.0, 10.0],
        t=pa.array(TIMES.append(TIMES[1:2])),
        other=["a", "b", "c", "d", "b"],
    )
    rows = read_rows(path, spec(), ["x"])
    assert rows.frame["x"].tolist() == [0.0, 1.0, 1.0, 2.0, 3.0]
    assert rows.truth(None).tolist() == [5.0, 10.0, 10.0, 20.0, 30.0]
    assert rows.digests.tolist() == digests[[2, 1, 4, 3, 0]].tolist()
    assert (rows.older, rows.seen, rows.share) == (0, 0, 1.0)
    assert "other" not in rows.frame


def trained(rows, keys=None):
    return Trained(rows, np.arange(len(rows)) * 2 // max(len(rows), 1), keys)


def test_rows_seen_are_left_out_and_others_kept_by_digest(write):
    path, digests = write(x=[1.0, 2.0, 3.0], y=[1.0, 2.0, 3.0])
    rows = read_rows(path, spec(time=None), ["x"], seen=trained(digests[[0, 2]]))
    assert (rows.frame["x"].tolist(), rows.seen) == ([2.0], 2)
    rows = read_rows(path, spec(time=None), ["x"], only=digests[[0, 2]])
    assert sorted(rows.frame["x"]) == [1.0, 3.0]


def test_of_equal_rows_as_many_are_kept_or_left_out_as_there_were(write):
    path, digests = write(x=[1.0, 1.0, 1.0, 2.0], y=[1.0, 1.0, 1.0, 2.0])
    rows = read_rows(path, spec(time=None), ["x"], only=digests[[0, 1]])
    assert rows.frame["x"].tolist() == [1.0, 1.0]
    rows = read_rows(path, spec(time=None), ["x"], seen=trained(digests[[0, 1]]))
    assert (sorted(rows.frame["x"]), rows.seen) == ([1.0, 2.0], 2)


def test_what_repeats_by_chance_was_not_trained_on(write):
    """Ten contents, all of which the champion knows: a new span's rows are new all the same."""
    random = np.random.default_rng(0)
    old, new = random.integers(0, 10, 400) * 1.0, random.integers(0, 10, 200) * 1.0
    _, digests = write(x=old, y=old)
    path, _ = write(x=new, y=new)
    rows = read_rows(path, spec(time=None), ["x"], seen=trained(digests))
    assert (len(rows.frame), rows.seen) == (200, 0)


def test_a_file_that_has_grown_is_new_as_far_as_it_has_grown(write):
    values = np.arange(300) / 7
    path, digests = write(x=values, y=values)
    rows = read_rows(path, spec(time=None), ["x"], seen=trained(digests[:200]))
    assert (sorted(rows.frame["x"]), rows.seen) == (values[200:].tolist(), 200)


def test_with_a_key_the_newest_version_counts_and_what_was_trained_on_does_not(write):
    path, _ = write(x=[1.0, 2.0, 3.0, 4.0], y=[1.0, 2.0, 3.0, 4.0], id=[1, 1, 2, 3])
    keyed = spec(time=None, key=["id"])
    rows = read_rows(path, keyed, ["x"])
    assert (sorted(rows.frame["x"]), rows.older) == ([2.0, 3.0, 4.0], 1)
    known = row_digests(pa.table({"id": [2]}), ["id"])
    rows = read_rows(path, keyed, ["x"], seen=trained(known, known))
    assert (sorted(rows.frame["x"]), rows.seen) == ([2.0, 4.0], 1)


def test_a_label_is_a_finite_number(write):
    path, _ = write(x=[1, 2, 3, 4], y=pa.array([1.5, None, np.inf, np.nan], from_pandas=False))
    rows = read_rows(path, spec(time=None), ["x"])
    assert rows.truth(None).tolist() == [1.5]
    assert rows.share == 0.25


def test_a_target_may_be_computed_or_not_there_yet(write):
    path, _ = write(a=[1.0, 2.0], b=[10.0, None], x=[0.0, 1.0])
    computed = spec(
        time=None, target={"name": "y", "expression": "a + b"}, features={"drop": ["a", "b"]}
    )
    rows = read_rows(path, computed, ["x"])
    assert rows.truth(None).tolist() == [11.0]
    assert set(rows.frame.columns) == {"a", "b", "x"}
    rows = read_rows(path, spec(time=None), ["x"])
    assert (rows.share, rows.truth(None).tolist()) == (0.0, [])


def test_classes_go_by_name_and_a_new_one_is_none_of_them(write):
    path, _ = write(x=[1, 2, 3, 4], y=[1.0, 0.0, None, 7.0])
    binary = spec(time=None, task="binary", gate={"superior_by": 0.1, "baseline": "prior"})
    rows = read_rows(path, binary, ["x"])
    found = dict(zip(rows.frame["x"][rows.labelled], rows.truth(("0", "1")), strict=True))
    assert found == {1: 1, 2: 0, 4: -1}


def test_an_empty_span_has_no_rows(write):
    path, _ = write(x=pa.array([], pa.float64()), y=pa.array([], pa.float64()))
    rows = read_rows(path, spec(time=None), ["x"])
    assert (len(rows.frame), rows.share) == (0, 0.0)
