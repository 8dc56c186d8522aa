"""Statistics against pandas and NumPy on the same rows."""

from __future__ import annotations

import math
from datetime import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everfit.contracts.base import canonical_json
from everfit.contracts.errors import SourceError
from everfit.contracts.messages.statistics import QUANTILES
from everfit.ml.profiles.column_profile import CATEGORIES
from everfit.ml.profiles.span_statistics import profile_batches, profile_parquet, profile_table

DIGEST = "0" * 64


def in_pieces(table, size):
    pieces = [table.slice(start, size) for start in range(0, table.num_rows, size)]
    return profile_batches(pieces, table.schema, table.num_rows, DIGEST, period=(None, None))


@pytest.fixture(scope="module")
def month(months):
    return months["2019-03"]


def test_every_column_of_a_real_month_agrees_with_pandas(month):
    statistics = profile_table(month, DIGEST)
    frame = month.to_pandas()
    assert statistics.rows == 10_000
    assert statistics.duplicates == frame.duplicated().sum()
    assert [column.name for column in statistics.columns] == list(frame.columns)
    for column in statistics.columns:
        values = frame[column.name]
        assert column.nulls == values.isna().sum()
        assert column.distinct == values.nunique()
        if column.type == "string":
            counts = values.value_counts()
            assert dict(column.categories) == counts.to_dict()
            assert column.categories_complete
            continue
        if column.type == "timestamp":
            assert column.time_min == values.min().isoformat()
            assert column.time_max == values.max().isoformat()
            values = (values - pd.Timestamp(0)) / pd.Timedelta(seconds=1)
        assert (column.min, column.max) == (values.min(), values.max())
        assert math.isclose(column.mean, values.mean(), rel_tol=1e-12)
        assert math.isclose(column.std, values.std(ddof=0), rel_tol=1e-9)
        # Quantiles: the rank is within 0.2 % of the rows (one of 1,024 bins), and exact up to
        # 2,048 distinct values.
        ordered = np.sort(values)
        for q, value in zip(QUANTILES, column.quantiles, strict=True):
            below = np.searchsorted(ordered, value, side="left") / len(ordered)
            upto = np.searchsorted(ordered, value, side="right") / len(ordered)
            assert below - 0.002 <= q <= upto + 0.002, (column.name, q)
            if column.distinct <= 2048:
                assert value == np.quantile(ordered, q, method="inverted_cdf")


def test_pieces_give_what_the_whole_gives(month):
    whole, pieces = profile_table(month, DIGEST), in_pieces(month, 700)
    assert pieces.duplicates == whole.duplicates
    for one, other in zip(whole.columns, pieces.columns, strict=True):
        exact = {"mean", "std", "quantiles", "bins"}
        assert one.model_dump(exclude=exact) == other.model_dump(exclude=exact)
        if one.type != "string":
            assert math.isclose(one.mean, other.mean, rel_tol=1e-12)
            assert math.isclose(one.std, other.std, rel_tol=1e-9)
            assert np.allclose(one.quantiles, other.quantiles, rtol=0.02, atol=0.02)


def test_a_file_with_tiny_row_groups_gives_the_same_bytes_twice(month, tmp_path):
    path = tmp_path / "span.parquet"
    pq.write_table(month, path, row_group_size=300)
    first, second = (profile_parquet(path, DIGEST) for _ in range(2))
    assert canonical_json(first) == canonical_json(second)
    assert canonical_json(first) == canonical_json(profile_table(month, DIGEST))


def test_progress_ends_at_the_last_row(month, tmp_path):
    path = tmp_path / "span.parquet"
    pq.write_table(month, path)
    seen = []
    profile_parquet(path, DIGEST, watch=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (10_000, 10_000)


NUMBERS = st.lists(
    st.one_of(st.none(), st.floats(width=32), st.integers(-3, 3).map(float)), max_size=60
)


@given(NUMBERS, st.integers(1, 70))
@settings(max_examples=150)
def test_any_numbers_agree_with_numpy(values, size):
    table = pa.table({"x": pa.array(values, pa.float64())})
    column = (
        in_pieces(table, size).columns[0] if values else profile_table(table, DIGEST).columns[0]
    )
    numbers = np.array([v for v in values if v is not None], dtype=float)
    finite = numbers[np.isfinite(numbers)]
    assert column.rows == len(values)
    assert column.nulls == sum(v is None for v in values)
    assert column.nans == np.isnan(numbers).sum()
    assert column.infinities == np.isinf(numbers).sum()
    assert column.distinct == len(np.unique(finite))
    if not len(finite):
        assert column.min is column.mean is column.bins is None
        return
    assert (column.min, column.max) == (finite.min(), finite.max())
    assert math.isclose(column.mean, finite.mean(), rel_tol=1e-9, abs_tol=1e-9 * abs(finite).max())
    assert math.isclose(column.std, finite.std(), rel_tol=1e-6, abs_tol=1e-6 * abs(finite).max())
    assert sum(column.bins.count) == len(finite)
    canonical_json(column)  # finite throughout


@given(st.lists(st.one_of(st.none(), st.text(max_size=5)), max_size=60), st.integers(1, 70))
def test_any_texts_are_counted(values, size):
    values = [*values, "last"]
    table = pa.table({"x": pa.array(values, pa.string())})
    column = in_pieces(table, size).columns[0]
    counts = pd.Series(values, dtype=object).value_counts()
    assert dict(column.categories) == counts.to_dict()
    assert column.distinct == len(counts)
    assert list(column.categories) == sorted(column.categories, key=lambda c: (-c[1], c[0]))


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2), st.sampled_from(["a", "b", None]), st.sampled_from([0.0, -0.0, None])
        ),
        min_size=1,
        max_size=40,
    ),
    st.integers(1, 50),
)
def test_repeated_rows_are_counted_across_pieces(rows, size):
    schema = pa.schema({"x": pa.int64(), "y": pa.string(), "z": pa.float64()})
    columns = dict(zip("xyz", map(list, zip(*rows, strict=True)), strict=True))
    table = pa.table(columns, schema=schema)
    assert in_pieces(table, size).duplicates == len(rows) - len(set(rows))


def test_huge_values_leave_no_infinite_moment():
    table = pa.table({"x": [1.7e308, -1.7e308, 1.7e308]})
    column = profile_table(table, DIGEST).columns[0]
    assert (column.min, column.max, column.std) == (-1.7e308, 1.7e308, None)
    canonical_json(column)


def test_many_texts_keep_the_frequent_ones():
    rng = np.random.default_rng(0)
    rare = [f"user {k}" for k in rng.integers(0, 10**9, 40_000)]
    values = rare + ["frequent"] * 5_000
    rng.shuffle(values)
    column = profile_table(pa.table({"x": values}), DIGEST).columns[0]
    assert not column.categories_complete
    assert len(column.categories) <= CATEGORIES
    assert column.categories[0] == ("frequent", 5_000)
    assert all(count > 1 for _, count in column.categories)
    assert not column.distinct_exact
    assert abs(column.distinct - len(set(values))) < 0.04 * len(set(values))


def test_a_long_text_is_shortened_and_stays_distinct():
    texts = ["x" * 1000 + "a", "x" * 1000 + "b"]
    column = profile_table(pa.table({"x": texts}), DIGEST).columns[0]
    assert column.distinct == 2
    assert all(len(text) < 100 for text, _ in column.categories)


def test_rows_outside_the_period_are_counted_end_exclusive():
    times = [
        "2019-02-28T23:59:59.999999",
        "2019-03-01T00:00:00",
        "2019-03-31T23:59:59.999999",
        "2019-04-01T00:00:00",
    ]
    table = pa.table({"t": pa.array([datetime.fromisoformat(t) for t in times])})
    statistics = profile_table(table, DIGEST, ("2019-03-01", "2019-04-01"))
    assert statistics.columns[0].outside_period == 2
    assert profile_table(table, DIGEST).columns[0].outside_period is None


@pytest.mark.parametrize(
    ("array", "kind", "low"),
    [
        (pa.array([True, False, None]), "boolean", 0.0),
        (pa.array([1, 2], pa.uint64()), "integer", 1.0),
        (pa.array([1.5, 2], pa.float32()), "float", 1.5),
        (pa.array([None, None]), "float", None),
        (pa.array(["a"]).dictionary_encode(), "string", None),
        (pa.array(["a"], pa.string_view()), "string", None),
        (pa.array([datetime(1970, 1, 2)]).cast(pa.date32()), "timestamp", 86400.0),
        (pa.array([datetime(1970, 1, 2)]).cast(pa.timestamp("ns", "UTC")), "timestamp", 86400.0),
    ],
)
def test_arrow_types_become_the_five(array, kind, low):
    column = profile_table(pa.table({"x": array}), DIGEST).columns[0]
    assert (column.type, column.min) == (kind, low)


def test_other_types_are_refused_with_the_next_step():
    with pytest.raises(SourceError, match=r"VALIDATE-TYPE .*list<.*source\.columns"):
        profile_table(pa.table({"x": [[1], [2]]}), DIGEST)


def test_an_empty_table_has_columns_without_values():
    statistics = profile_table(pa.table({"x": pa.array([], pa.int64())}), DIGEST)
    assert statistics.rows == statistics.columns[0].rows == 0
    assert statistics.columns[0].all_missing
