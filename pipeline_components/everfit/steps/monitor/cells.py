"""The cells in which a column's values are counted, the same for every span compared.

Numbers are cut at quantiles of the reference, closer together in the tails; categories are those
listed often enough to be counted surely, and all others together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from everfit.contracts.messages.statistics import ColumnStatistics
from everfit.ml.profiles.bins import Cells, from_bins, quantile, rank

Array = np.ndarray[Any, np.dtype[Any]]

CUTS = 24
"""Cells of a column of numbers in a large window."""

LISTED = 30
"""Categories counted one by one; the rarer ones are taken together."""

FEW = 5
"""A column of at most so many different numbers is taken as categories."""

EXPECTED = 8.0
"""Values expected in a cell, in the smaller window, before it is joined with another."""

OTHERS = "any other"


def present(column: ColumnStatistics) -> int:
    """Values that can be counted: neither missing nor infinite."""
    return column.rows - column.nulls - column.nans - column.infinities


def number_edges(reference: Cells) -> Array:
    """Where the cells of a column of numbers end, the last one excepted; shape (k,)."""
    cuts = (1 - np.cos(np.pi * np.arange(1, CUTS) / CUTS)) / 2
    return np.unique(quantile(reference, cuts))


def number_counts(column: ColumnStatistics, edges: Array) -> Array:
    """Values in each cell; shape (k + 1,)."""
    if column.bins is None or not column.bins.count:
        return np.zeros(len(edges) + 1)
    cells = from_bins(column.bins)
    return np.diff(np.concatenate([[0.0], rank(cells, edges), [cells.mass.sum()]]))


def few_values(column: ColumnStatistics) -> bool:
    """Whether a column of numbers has so few values that each is a category."""
    bins = column.bins
    return bins is not None and len(bins.count) <= FEW and bins.low == bins.high


def category_counts(column: ColumnStatistics) -> dict[str, float]:
    """Category → count, as far as listed; the numbers of bins that are one value."""
    if column.type == "string":
        return {text: float(count) for text, count in column.categories or ()}
    if column.bins is None:
        return {}
    bins = zip(column.bins.low, column.bins.high, column.bins.count, strict=True)
    return {f"{low:g}": float(count) for low, high, count in bins if low == high}


def least_listed(column: ColumnStatistics) -> float:
    """No unlisted category is more frequent than this."""
    if column.type != "string" or column.categories_complete:
        return 0.0
    return float(min((count for _, count in column.categories or ()), default=present(column)))


def choose_categories(reference: ColumnStatistics, current: ColumnStatistics) -> tuple[str, ...]:
    """Categories whose counts are known in both, by count; of a long list, only the sure ones.

    Where a list is cut, what is on it was chosen for being frequent. A category counts only if it
    is so frequent on the one side that it would surely be listed on the other.
    """
    old, new = category_counts(reference), category_counts(current)
    n, m = max(present(reference), 1), max(present(current), 1)
    of_old, of_new = least_listed(reference), least_listed(current)
    sure = {k for k, c in old.items() if _surely(c / n * m, of_new)}
    sure |= {k for k, c in new.items() if _surely(c / m * n, of_old)}
    by_count = sorted(sure, key=lambda k: (-(old.get(k, 0.0) + new.get(k, 0.0)), k))
    return tuple(by_count[:LISTED])


def _surely(expected: float, bound: float) -> bool:
    return bound <= 0 or expected > bound + 5 * math.sqrt(bound + 1)


def count_categories(column: ColumnStatistics, names: Sequence[str]) -> Array:
    """Values of each category, and of all others; shape (k + 1,)."""
    known = category_counts(column)
    bound = least_listed(column)
    counts = np.array([known.get(name, bound) for name in names] + [0.0])
    counts[-1] = max(present(column) - counts.sum(), 0.0)
    return counts


def join_neighbours(pooled: Array, smaller: float) -> Array:
    """First cell of each group of cells, so that every group is expected to hold enough.

    Parameters
    ----------
    pooled : ndarray, shape (k,)
        Counts of both windows together.
    smaller : float
        Values in the smaller window.
    """
    expected = pooled / max(pooled.sum(), 1.0) * smaller
    first, held = [0], 0.0
    for index, value in enumerate(expected):
        if held >= EXPECTED and expected[index:].sum() >= EXPECTED:
            first.append(index)
            held = 0.0
        held += value
    return np.array(first)


def join_rare(pooled: Array, smaller: float) -> Array:
    """Group of each category: its own, or the last one for all that are rare; shape (k,).

    At least two groups where there are two categories at all, however rare.
    """
    expected = pooled / max(pooled.sum(), 1.0) * smaller
    kept = expected >= EXPECTED
    kept[-1] = False
    held = np.flatnonzero(pooled > 0)
    if not kept.any() and len(held) > 1:
        kept[np.argmax(pooled[:-1])] = True
    rest = expected[~kept].sum()
    if 0 < rest < EXPECTED and kept.sum() > 1:
        kept[np.flatnonzero(kept)[np.argmin(pooled[kept])]] = False
    groups = np.full(len(pooled), int(kept.sum()))
    groups[kept] = np.arange(int(kept.sum()))
    return groups


def sum_groups(counts: Array, groups: Array) -> Array:
    """Columns of a matrix added up by group; shape (…, number of groups)."""
    answer = np.zeros((*counts.shape[:-1], int(groups.max()) + 1))
    for group in range(answer.shape[-1]):
        answer[..., group] = counts[..., groups == group].sum(axis=-1)
    return answer


def outside(reference: ColumnStatistics, current: ColumnStatistics) -> float | None:
    """Share of the values outside the reference's range, or in none of its categories.

    None where there are no values, or where not all categories are known.
    """
    if not present(reference) or not present(current) or reference.type == "timestamp":
        return None
    if reference.type == "string":
        if current.type != "string" or not reference.categories_complete:
            return None
        return unseen(current, category_counts(reference))
    if reference.min is None or reference.max is None or current.bins is None:
        return None
    cells = from_bins(current.bins)
    ends = np.array([np.nextafter(reference.min, -np.inf), reference.max])
    below, upto = rank(cells, ends)
    total = float(cells.mass.sum())
    return float(below + total - upto) / total if total else None


def unseen(current: ColumnStatistics, known: Mapping[str, float]) -> float:
    """Share of the current values in listed categories that are not known."""
    new = sum(count for name, count in category_counts(current).items() if name not in known)
    return new / max(present(current), 1)
