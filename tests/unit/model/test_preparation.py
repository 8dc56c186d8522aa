"""The preparation inside a model: any raw table in, the matrix of training out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everfit.contracts.errors import SourceError
from everfit.ml.model import class_codes, class_texts
from everfit.ml.model.derived_columns import DerivedColumns
from everfit.ml.model.raw_columns import RawColumns
from everfit.ml.model.table_encoder import BUCKETS, MOST_CODES, TableEncoder


def texts(values):
    return pd.array(values, dtype="str")


def encode(style, train, test=None, **options):
    frame = pd.DataFrame(train)
    encoder = TableEncoder(list(frame.columns), style, **options).fit(frame)
    return encoder, encoder.transform(frame if test is None else pd.DataFrame(test))


def test_columns_come_in_any_order_and_type():
    columns = {"n": "float", "i": "integer", "s": "string", "b": "boolean", "t": "timestamp"}
    step = RawColumns(columns).fit(None)
    frame = pd.DataFrame(
        {
            "extra": [1, 2, 3],
            "t": ["2020-01-02T00:00:00", "2020-01-02 00:00:00+01:00", "soon"],
            "b": ["true", "False", None],
            "s": [1.0, 2.5, None],
            "i": ["4", "x", None],
            "n": [1, 2, 3],
        }
    )
    out = step.transform(frame)
    assert list(out.columns) == list(columns)
    assert out["t"].tolist()[:2] == [pd.Timestamp("2020-01-02"), pd.Timestamp("2020-01-01 23:00")]
    assert pd.isna(out["t"][2])
    assert out["b"].tolist()[:2] == [1.0, 0.0] and np.isnan(out["b"][2])
    assert out["s"].tolist()[:2] == ["1", "2.5"] and pd.isna(out["s"][2])
    assert out["i"].tolist()[0] == 4.0 and np.isnan(out["i"][1:]).all()
    assert list(step.feature_names_in_) == list(columns)


def test_a_missing_column_is_one_clear_line():
    with pytest.raises(SourceError, match=r"MODEL-COLUMNS the rows to predict: .*; a, b missing"):
        RawColumns({"a": "float", "b": "float"}).fit(None).transform(pd.DataFrame({"c": [1]}))


def test_derived_columns_may_build_on_each_other():
    frame = pd.DataFrame({"x": [1.0, 4.0, np.nan]})
    step = DerivedColumns({"twice": "x * 2", "big": "twice > 4"}).fit(frame)
    out = step.transform(frame)
    assert out["twice"].tolist()[:2] == [2.0, 8.0]
    assert out["big"].tolist()[:2] == [0.0, 1.0] and np.isnan(out["big"][2])
    assert list(frame.columns) == ["x"]


def test_codes_keep_missing_and_mark_the_unseen():
    encoder, matrix = encode(
        "codes",
        {"x": [1.0, np.inf, np.nan], "s": texts(["b", "a", "b"])},
        {"x": [5.0, -np.inf, np.nan], "s": texts(["b", "never", None])},
    )
    assert encoder.categorical_ == [1]
    np.testing.assert_array_equal(matrix, [[5, 0], [np.nan, np.nan], [np.nan, np.nan]])


def test_rare_texts_share_buckets_and_codes_stay_below_the_limit():
    many = [f"v{i}" for i in range(1000)]
    _, codes = encode("codes", {"s": texts(many)})
    assert codes.min() >= 0 and codes.max() < MOST_CODES
    encoder, onehot = encode("scaled", {"s": texts(many)}, high_cardinality=10)
    assert len(encoder.names_) == 9 + BUCKETS
    assert (onehot.sum(axis=1) == 1).all()
    _, unseen = encode("scaled", {"s": texts(many)}, {"s": texts(["new"])}, high_cardinality=10)
    assert unseen.sum() == 1


def test_one_hot_is_zero_for_the_unseen_and_the_missing():
    encoder, matrix = encode(
        "onehot", {"s": texts(["a", "b", "a"])}, {"s": texts(["a", "b", "c", None])}
    )
    assert encoder.names_ == ["s = a", "s = b"]
    assert matrix.tolist() == [[1, 0], [0, 1], [0, 0], [0, 0]]


def test_scaled_columns_are_centred_and_flag_what_was_missing():
    values = np.concatenate([np.random.default_rng(0).normal(7, 3, 5000), [np.nan] * 10, [1e9]])
    encoder, matrix = encode("scaled", {"x": values, "same": np.ones(len(values))})
    assert encoder.names_ == ["x", "x missing"]
    assert matrix[:, 1].sum() == 10
    assert np.isfinite(matrix).all() and np.abs(matrix[:, 0]).max() < 5
    np.testing.assert_allclose([matrix[:5000, 0].mean(), matrix[:5000, 0].std()], [0, 1], atol=0.02)


def test_few_whole_numbers_also_get_columns_of_their_own():
    encoder, matrix = encode("scaled", {"k": [1.0, 2.0, 5.0, 1.0]}, {"k": [2.0, 9.0, 1.0]})
    assert encoder.names_ == ["k", "k = 1", "k = 2", "k = 5"]
    assert matrix[:, 1:].tolist() == [[0, 1, 0], [0, 0, 0], [1, 0, 0]]


@pytest.mark.parametrize("style", ["codes", "onehot", "scaled"])
def test_many_columns_of_few_rows_are_encoded_as_of_many_rows(style):
    """Columns of a few rows are read many at a time, of many rows one by one."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(2_500, 120)), columns=[f"x{i}" for i in range(120)])
    frame.iloc[3, 5], frame.iloc[::7, 6], frame.iloc[4, 7] = np.inf, np.nan, 1e300
    frame["whole"], frame["flag"] = np.arange(2_500) % 5, np.arange(2_500) % 2 == 0
    encoder, every = encode(style, frame)
    few = encoder.transform(frame.iloc[:10])
    np.testing.assert_array_equal(few, every[:10])


def test_times_give_parts_of_the_calendar():
    when = pd.to_datetime(["2020-02-03 06:30", None, "2021-12-25 18:00"]).astype("datetime64[us]")
    encoder, matrix = encode("codes", {"t": when})
    assert encoder.names_ == ["t hour", "t weekday", "t day", "t month"]
    # 2020-02-03 was a Monday and 2021-12-25 a Saturday.
    np.testing.assert_array_equal(matrix, [[6.5, 0, 3, 2], [np.nan] * 4, [18, 5, 25, 12]])
    _, cycles = encode("scaled", {"t": when})
    # 06:30 is 97.5 degrees into the day.
    np.testing.assert_allclose(cycles[0, :2], [0.991445, -0.130526], atol=1e-6)
    np.testing.assert_allclose(cycles[2, :2], [-1, 0], atol=1e-12)
    assert (cycles[1] == 0).all()


cells = st.one_of(st.none(), st.text(max_size=5), st.floats(), st.integers(), st.booleans())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(cells, min_size=1, max_size=5),
    st.sampled_from(["float", "integer", "string", "boolean", "timestamp"]),
)
def test_no_raw_value_stops_a_prediction(values, kind):
    frame = pd.DataFrame({"c": pd.Series(values, dtype=object)})
    out = RawColumns({"c": kind}).fit(None).transform(frame)["c"]
    assert len(out) == len(values)
    train = {
        "string": texts(["a", "b"]),
        "timestamp": pd.to_datetime(["2020-01-01", "2020-01-02"]),
    }.get(kind, [1.0, 2.0])
    encoder = TableEncoder(["c"], "scaled").fit(pd.DataFrame({"c": train}))
    assert np.isfinite(encoder.transform(pd.DataFrame({"c": out}))).all()


def test_classes_have_one_text_whatever_their_type():
    for values in ([0, 1, 1], [0.0, 1.0, 1.0]):
        assert class_texts(pd.Series(values)).tolist() == ["0", "1", "1"]
    assert class_texts(pd.Series([True, False])).tolist() == ["True", "False"]
    assert class_codes(pd.Series(["b", "a"], dtype="str"), ("a", "b")).tolist() == [1, 0]
    assert class_codes(np.array([2.0, 10.0]), ("2", "9", "10")).tolist() == [0, 2]
    with pytest.raises(SourceError, match="MODEL-CLASS"):
        class_codes(pd.Series(["z"]), ("a", "b"))
