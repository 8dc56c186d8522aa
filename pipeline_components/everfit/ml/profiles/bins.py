"""Equi-depth bins: a histogram that is built in pieces, merged, and asked for ranks and quantiles.

Within a bin values are taken as evenly spread, so a rank is off by at most one bin's mass. Bins
are cut where ``(1 - cos(pi * k / size)) / 2`` of the values lie below (the scale of t-digests
[1]_), which keeps the tails sharp. A value as frequent as a bin gets a bin of its own, so zeros,
flat fares and defaults stay exact.

References
----------
.. [1] Dunning, T. and Ertl, O. (2019). Computing extremely accurate quantiles using t-digests.
   arXiv:1902.04023, section 2, scale function k1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from everfit.contracts.messages.statistics import Bins

STORED = 128
"""Bins kept with a span, save those of single frequent values."""

WORKING = 1024
"""Bins kept while a span is read."""

Array = np.ndarray[Any, np.dtype[Any]]


class Cells(NamedTuple):
    """Bins at work; ``mass`` may be fractional. Each of shape (m,), in order, not overlapping."""

    low: Array
    high: Array
    mass: Array


def cells_of_values(values: Array, counts: Array, size: int = WORKING) -> Cells:
    """Bins of exact counts.

    Parameters
    ----------
    values : ndarray, shape (m,)
        Distinct finite values, ascending.
    counts : ndarray, shape (m,)
        How often each occurs.
    size : int
        Bins wanted; up to twice as many values are kept one by one.
    """
    values = values.astype(np.float64)
    return compress(Cells(values, values, counts.astype(np.float64)), size)


def compress(cells: Cells, size: int) -> Cells:
    """Join neighbours until about ``size`` bins are left (at most three times as many)."""
    low, high, mass = cells
    if len(mass) <= 2 * size:
        return cells
    total = mass.sum()
    middle = np.clip((np.cumsum(mass) - mass / 2) / total, 0.0, 1.0)
    cuts = (1 - np.cos(np.pi * np.arange(1, size) / size)) / 2
    alone = np.flatnonzero((low == high) & (mass > 1))
    share = np.pi / size * np.sqrt(middle[alone] * (1 - middle[alone]))
    alone = alone[mass[alone] >= share * total]
    first = np.unique(np.concatenate([[0], np.searchsorted(middle, cuts), alone, alone + 1]))
    first = first[first < len(mass)]
    last = np.append(first[1:], len(mass)) - 1
    return Cells(low[first], high[last], np.add.reduceat(mass, first))


def merge_cells(parts: Sequence[Cells], size: int) -> Cells:
    """The bins of all parts' values.

    A rank is then off by at most the sum of what it was off by in each part, and one bin.
    """
    parts = [part for part in parts if len(part.mass)]
    if len(parts) < 2:
        return compress(parts[0], size) if parts else Cells(*(np.empty(0) for _ in range(3)))
    edges = np.unique(np.concatenate([edge for part in parts for edge in part[:2]]))
    at = np.zeros(len(edges))
    between = np.zeros(max(len(edges) - 1, 0))
    for low, high, mass in parts:
        point = low == high
        np.add.at(at, np.searchsorted(edges, low[point]), mass[point])
        below = np.interp(edges, *_knots(low[~point], high[~point], mass[~point]))
        between += np.diff(below)
    # Points and the gaps between them, in order: edge 0, gap 0, edge 1, gap 1, …
    low = np.empty(2 * len(edges) - 1)
    high, mass = low.copy(), low.copy()
    low[0::2] = high[0::2] = edges
    low[1::2], high[1::2] = edges[:-1], edges[1:]
    mass[0::2], mass[1::2] = at, between
    held = mass > 1e-9
    return compress(Cells(low[held], high[held], mass[held]), size)


def _knots(low: Array, high: Array, mass: Array) -> tuple[Array, Array]:
    """Where the mass of wide bins begins and ends, and how much lies below."""
    if not len(mass):
        return np.zeros(1), np.zeros(1)
    total = np.cumsum(mass)
    where = np.column_stack([low, high]).ravel()
    return where, np.column_stack([total - mass, total]).ravel()


def rank(cells: Cells, at: Array) -> Array:
    """Number of values that are at most ``at``; same shape."""
    low, high, mass = cells
    if not len(mass):
        return np.zeros(len(at))
    total = np.concatenate([[0.0], np.cumsum(mass)])
    full = np.searchsorted(high, at, side="right")
    inside = np.minimum(full, len(mass) - 1)
    width = high[inside] / 2 - low[inside] / 2  # halves: the difference itself may overflow
    # A point far outside a narrow bin has an infinite share, which is cut to the whole of it.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        share = np.where(width > 0, (at / 2 - low[inside] / 2) / width, 0.0)
    partial = np.where(full < len(mass), np.clip(share, 0, 1) * mass[inside], 0.0)
    answer: Array = total[full] + partial
    return answer


def quantile(cells: Cells, q: Array) -> Array:
    """The smallest value with a share of at least ``q`` at or below it; same shape.

    Exact where every bin is a single value; else values are taken as evenly spread in a bin.
    """
    low, high, mass = cells
    total = np.cumsum(mass)
    wanted = np.maximum(np.asarray(q, dtype=np.float64) * total[-1], 0.0)
    # A count that floating point put a hair above a whole number is that number.
    index = np.minimum(np.searchsorted(total, wanted - 1e-9 * total[-1]), len(mass) - 1)
    share = np.clip((wanted - (total[index] - mass[index])) / mass[index], 0, 1)
    answer: Array = low[index] * (1 - share) + high[index] * share
    return np.where(low[index] == high[index], low[index], answer)


def to_bins(cells: Cells, size: int = STORED) -> Bins:
    """The bins that are stored: whole counts that add up to the number of values."""
    low, high, mass = compress(cells, size)
    count = np.diff(np.concatenate([[0], np.rint(np.cumsum(mass)).astype(np.int64)]))
    held = count > 0
    return Bins(
        low=tuple(low[held].tolist()),
        high=tuple(high[held].tolist()),
        count=tuple(count[held].tolist()),
    )


def from_bins(bins: Bins) -> Cells:
    """Stored bins, at work again."""
    return Cells(np.array(bins.low), np.array(bins.high), np.array(bins.count, dtype=np.float64))


def equal_width(bins: Bins, low: float, high: float, size: int) -> list[float]:
    """Counts in bins of equal width.

    Parameters
    ----------
    bins : Bins
        As stored.
    low, high : float
        The range that is divided.
    size : int
        Number of bins; the outer ones also hold what lies beyond the range.

    Returns
    -------
    list of float
        Estimated counts, ``size`` of them; all in the first where the range is empty.
    """
    if not high > low:
        return [float(sum(bins.count))] + [0.0] * (size - 1)
    edges = np.linspace(low, high, size + 1)[1:-1]
    # An edge belongs to the bin on its right, so that a pile at a round number is not split.
    below = rank(from_bins(bins), np.nextafter(edges, -np.inf))
    total = float(sum(bins.count))
    heights: list[float] = np.diff(np.concatenate([[0.0], below, [total]])).tolist()
    return heights
