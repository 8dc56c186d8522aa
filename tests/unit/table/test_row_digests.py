"""A row's digest is its content, and nothing else."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from everfit.data.tables.row_digests import (
    number_hashes,
    row_digests,
    salt_of,
    scatter,
    text_hashes,
)

SALT = salt_of("a column")


def digests(columns, names=None):
    table = pa.table(columns)
    return row_digests(table, names or table.schema.names)


def test_splitmix64_matches_its_published_sequence():
    # First outputs of SplitMix64 seeded with 1234567 (Rosetta Code, "Splitmix64").
    step = 0x9E3779B97F4A7C15
    states = np.array([(1234567 + k * step) % 2**64 for k in range(5)], dtype=np.uint64)
    assert scatter(states).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_width_order_position_and_empty_columns_do_not_matter():
    first = digests({"a": pa.array([1, 2], pa.int8()), "b": ["x", None]}, ["a", "b"])
    second = digests(
        {"b": [None, "x"], "c": pa.nulls(2), "a": pa.array([2.0, 1.0])}, ["c", "b", "a"]
    )
    assert first.tolist() == second.tolist()[::-1]
    assert digests({"a": [0.0]}) == digests({"a": [-0.0]})
    assert digests({"a": [math.nan]}) == digests({"a": pa.array([None], pa.float64())})
    assert digests({"a": [True]}) == digests({"a": [1]})


def test_columns_do_not_change_places():
    assert digests({"a": [1], "b": [2]}) != digests({"a": [2], "b": [1]})
    assert digests({"a": ["1"]}) != digests({"a": [1]})


def test_large_integers_are_exact():
    assert digests({"a": [2**53]}) != digests({"a": [2**53 + 1]})


def test_slices_and_chunks_read_the_right_text():
    column = pa.array(["zero", "a longer text of many bytes", "", None, "ü"])
    whole = digests({"a": column})
    sliced = digests({"a": pa.chunked_array([column.slice(1, 2), column.slice(3)])})
    assert whole[1:].tolist() == sliced.tolist()


values = st.one_of(st.none(), st.text(max_size=20))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(values, st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)))))
def test_equal_rows_and_only_equal_rows_share_a_digest(rows):
    table = {
        "t": pa.array([r[0] for r in rows], pa.string()),
        "n": pa.array([r[1] for r in rows], pa.int64()),
    }
    found = digests(table)
    assert len(set(found.tolist())) == len(set(rows))
    assert len({(r, d) for r, d in zip(rows, found.tolist(), strict=True)}) == len(set(rows))


def hash_list(texts):
    data = [text.encode() for text in texts]
    offsets = np.concatenate([[0], np.cumsum([len(d) for d in data])])
    return text_hashes(offsets, np.frombuffer(b"".join(data), dtype=np.uint8), SALT)


@given(st.lists(st.text(max_size=40), min_size=1, max_size=60))
def test_texts_hash_alike_exactly_where_they_are_equal(texts):
    hashes = hash_list(texts)
    assert len(set(hashes.tolist())) == len(set(texts))
    # … and wherever they stand.
    assert hash_list(texts[::-1]).tolist() == hashes[::-1].tolist()
    assert hash_list(["x", *texts])[1:].tolist() == hashes.tolist()


def test_trailing_zero_bytes_count():
    assert (
        len(set(hash_list(["", "\0", "\0\0", "a", "a\0", "12345678", "12345678\0"]).tolist())) == 7
    )


@given(hnp.arrays(np.float64, st.integers(1, 50)))
def test_numbers_hash_alike_exactly_where_they_are_equal(values):
    hashes = number_hashes(values, SALT)
    real = ~np.isnan(values)
    distinct = np.unique(values[real])  # takes -0.0 as 0.0
    assert len(set(hashes[real].tolist())) == len(distinct)


def test_whole_floats_hash_as_integers_do():
    whole = np.array([0.0, -0.0, 1.0, -7.0, 2.0**62, -(2.0**63)])
    assert (
        number_hashes(whole, SALT).tolist() == number_hashes(whole.astype(np.int64), SALT).tolist()
    )
    beyond = number_hashes(np.array([2.0**63, np.inf, 0.5]), SALT)
    assert len({*beyond.tolist(), *number_hashes(whole, SALT).tolist()}) == 3 + 5


def test_arrow_and_numpy_texts_agree():
    texts = pa.array(["Ünïcode", "plain", ""], pa.large_string())
    offsets = np.frombuffer(texts.buffers()[1], dtype=np.int64)
    data = np.frombuffer(texts.buffers()[2], dtype=np.uint8)
    assert text_hashes(offsets, data, SALT).tolist() == hash_list(["Ünïcode", "plain", ""]).tolist()
