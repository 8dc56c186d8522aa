"""Samples of hashes: exact while everything fits, a fair share after that."""

from __future__ import annotations

import numpy as np

from everfit.data.tables.row_digests import scatter
from everfit.ml.profiles.hash_sample import HashSample


def test_a_sample_is_exact_until_it_is_full():
    sample = HashSample(1000, unique=False)
    values = scatter(np.arange(500, dtype=np.uint64))
    sample.add(values)
    sample.add(values[:100])
    assert sample.exact
    assert sample.counts() == (600, 500)


def test_a_full_sample_estimates_and_keeps_repetitions_together():
    sample = HashSample(4000, unique=False)
    values = scatter(np.arange(100_000, dtype=np.uint64))
    for piece in np.array_split(values, 7):
        sample.add(piece)
        sample.add(piece)
    seen, distinct = sample.counts()
    assert not sample.exact
    assert seen == 2 * distinct  # every row came twice
    # 4000 held of which half distinct: a standard error of at most 1 / sqrt(1000), four of them.
    assert abs(distinct - 100_000) < 4 * 100_000 / np.sqrt(1000)


def test_a_sample_does_not_depend_on_order():
    values = scatter(np.arange(50_000, dtype=np.uint64))
    one, other = HashSample(1000, unique=True), HashSample(1000, unique=True)
    for piece in np.array_split(values, 11):
        one.add(piece)
    for piece in np.array_split(np.random.default_rng(0).permutation(values), 3):
        other.add(piece)
    assert one.counts() == other.counts()
