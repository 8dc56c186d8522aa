from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline_components.statistics.hashing import HashSample, hash_numbers, hash_texts, mix


def hash_list(texts):
    data = [text.encode() for text in texts]
    offsets = np.concatenate([[0], np.cumsum([len(d) for d in data])])
    return hash_texts(offsets, np.frombuffer(b"".join(data), dtype=np.uint8))


def test_mix_is_splitmix64():
    """The first outputs of SplitMix64 from state 1234567, as Rosetta Code lists them."""
    step, mask = 0x9E3779B97F4A7C15, 2**64 - 1
    states = [(1234567 + i * step) & mask for i in range(5)]
    assert mix(np.array(states, dtype=np.uint64)).tolist() == [
        6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431,
        16408922859458223821,
    ]  # fmt: skip


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
    hashes = hash_numbers(values)
    distinct = np.unique(values)  # takes NaN as equal to NaN, and -0.0 as 0.0
    assert len(set(hashes.tolist())) == len(distinct)


def test_a_sample_is_exact_until_it_is_full():
    sample = HashSample(1000, unique=False)
    values = mix(np.arange(500))
    sample.add(values)
    sample.add(values[:100])
    assert sample.exact
    assert sample.counts() == (600, 500)


def test_a_full_sample_estimates_and_keeps_repetitions_together():
    sample = HashSample(4000, unique=False)
    values = mix(np.arange(100_000))
    for piece in np.array_split(values, 7):
        sample.add(piece)
        sample.add(piece)
    seen, distinct = sample.counts()
    assert not sample.exact
    assert seen == 2 * distinct  # every row came twice
    # 4000 held of which half distinct: a standard error of at most 1 / sqrt(1000), four of them.
    assert abs(distinct - 100_000) < 4 * 100_000 / np.sqrt(1000)


def test_a_sample_does_not_depend_on_order():
    values = mix(np.arange(50_000))
    one, other = HashSample(1000, unique=True), HashSample(1000, unique=True)
    for piece in np.array_split(values, 11):
        one.add(piece)
    for piece in np.array_split(np.random.default_rng(0).permutation(values), 3):
        other.add(piece)
    assert one.counts() == other.counts()


def test_arrow_and_numpy_texts_agree():
    texts = pa.array(["Ünïcode", "plain", ""], pa.large_string())
    offsets = np.frombuffer(texts.buffers()[1], dtype=np.int64)
    data = np.frombuffer(texts.buffers()[2], dtype=np.uint8)
    assert hash_texts(offsets, data).tolist() == hash_list(["Ünïcode", "plain", ""]).tolist()
