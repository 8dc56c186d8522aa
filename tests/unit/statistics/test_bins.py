"""Ranks and quantiles of bins against NumPy's of the values themselves."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from everfit.contracts.messages.statistics import Bins
from everfit.ml.profiles.bins import (
    STORED,
    Cells,
    cells_of_values,
    compress,
    equal_width,
    from_bins,
    merge_cells,
    quantile,
    rank,
    to_bins,
)

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64)
ARRAYS = hnp.arrays(np.float64, st.integers(1, 300), elements=FINITE)


def cells_of(values, size=STORED):
    return cells_of_values(*np.unique(values, return_counts=True), size)


def exact_rank(values, at):
    return np.searchsorted(np.sort(values), at, side="right")


@given(ARRAYS, hnp.arrays(np.float64, 20, elements=FINITE))
def test_few_values_are_kept_exactly(values, at):
    cells = cells_of(values, size=300)
    assert np.array_equal(rank(cells, at), exact_rank(values, at))
    middle = (np.arange(len(values)) + 0.5) / len(values)
    assert np.array_equal(quantile(cells, middle), np.sort(values))


@given(ARRAYS, hnp.arrays(np.float64, 20, elements=FINITE), st.integers(2, 12))
def test_rank_is_off_by_at_most_one_bin(values, at, size):
    cells = cells_of(values, size)
    wide = cells.mass[cells.low < cells.high]
    assert np.all(np.abs(rank(cells, at) - exact_rank(values, at)) <= wide.max(initial=0) + 1e-6)


def test_a_point_far_above_a_bin_next_to_nothing_wide_is_above_all_of_it():
    narrow = Cells(np.array([-1.0, 2.2e-308]), np.array([0.0, 3.3e-141]), np.array([2.0, 3.0]))
    assert rank(narrow, np.array([5.9e167, 1e308])).tolist() == [5.0, 5.0]


@given(st.lists(ARRAYS, min_size=2, max_size=5), hnp.arrays(np.float64, 20, elements=FINITE))
def test_merging_adds_the_errors_of_the_parts_and_one_bin(parts, at):
    cells = [cells_of(part, 8) for part in parts]
    merged = merge_cells(cells, 8)
    everything = np.concatenate(parts)
    assert math.isclose(merged.mass.sum(), len(everything))
    bound = sum(c.mass[c.low < c.high].max(initial=0) for c in [*cells, merged])
    assert np.all(np.abs(rank(merged, at) - exact_rank(everything, at)) <= bound + 1e-6)


@given(ARRAYS)
def test_stored_counts_are_whole_and_complete(values):
    bins = to_bins(cells_of(values, 8), 8)
    assert sum(bins.count) == len(values)
    assert all(count > 0 for count in bins.count)
    assert all(low <= high for low, high in zip(bins.low, bins.high, strict=True))
    assert all(high <= low for high, low in zip(bins.high, bins.low[1:], strict=False))


def test_bins_are_narrow_in_the_tails():
    """The mass of a bin at rank q is at most about pi / size * sqrt(q (1 - q)), plus one value."""
    values = np.random.default_rng(0).lognormal(size=100_000)
    bins = to_bins(cells_of(values))
    count = np.array(bins.count)
    middle = (np.cumsum(count) - count / 2) / len(values)
    assert len(count) <= STORED
    assert np.all(count <= 1.1 * np.pi / STORED * np.sqrt(middle * (1 - middle)) * 1e5 + 10)
    assert count[0] < 30 < 1000 < count[STORED // 2]


def test_a_frequent_value_has_a_bin_of_its_own():
    values = np.concatenate([np.zeros(4000), np.random.default_rng(0).exponential(size=6000)])
    bins = to_bins(cells_of(values))
    zero = bins.low.index(0.0)
    assert (bins.high[zero], bins.count[zero]) == (0.0, 4000)


def test_rank_within_a_bin_is_interpolated_even_across_the_whole_range():
    cells = Cells(np.array([-1.7e308]), np.array([1.7e308]), np.array([100.0]))
    assert rank(cells, np.array([-1.7e308, 0.0, 1.7e308])).tolist() == [0.0, 50.0, 100.0]
    assert quantile(cells, np.array([0.5])).tolist() == [0.0]


def test_merging_nothing_gives_nothing():
    assert len(merge_cells([], 8).mass) == 0
    assert rank(merge_cells([], 8), np.array([1.0])).tolist() == [0.0]


def test_equal_width_keeps_every_value_and_puts_the_rest_outside():
    bins = Bins(low=(-50.0, 0.0, 5.0, 900.0), high=(-50.0, 0.0, 5.0, 900.0), count=(1, 4, 2, 3))
    # Edges 0, 2.5, 5, 7.5, 10: a value on an edge belongs to the bin on its right.
    assert equal_width(bins, 0.0, 10.0, 4) == [5.0, 0.0, 2.0, 3.0]
    assert sum(equal_width(bins, 3.0, 3.0, 4)) == 10


@pytest.mark.parametrize("size", [1, 2, 5])
def test_compress_never_loses_mass(size):
    cells = Cells(np.arange(50.0), np.arange(50.0), np.full(50, 1 / 3))
    assert math.isclose(compress(cells, size).mass.sum(), 50 / 3)


def test_stored_bins_come_back():
    bins = to_bins(cells_of(np.arange(1000.0)))
    assert to_bins(from_bins(bins)) == bins
