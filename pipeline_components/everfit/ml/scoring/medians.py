"""Medians of row losses by a histogram of them, and of weighted values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from everfit.ml.scoring.resampling import Floats, Integers


def loss_bins(loss: Floats, weight: Floats | None, most: int) -> tuple[Integers, Floats, Floats]:
    """Bins of losses, narrow where the medians of resamples are, and a wide one on either side.

    Parameters
    ----------
    loss : (n,) array
    weight : (n,) array or None
        Above 0.
    most : int
        Bins; while there are no more distinct losses, each has one of its own.

    Returns
    -------
    bins : (n,) int array
        Of each loss.
    low, high : (bins,) arrays
        Smallest and largest loss of each.
    """
    levels, level = np.unique(loss, return_inverse=True)
    bins = np.arange(levels.size)
    if levels.size > most:
        reached = np.cumsum(np.bincount(level, weight))
        share = reached / (loss.size if weight is None else reached[-1])
        inner = np.floor((share - 0.3) / 0.4 * (most - 2)).astype(np.int64)
        bins = np.unique(np.clip(1 + inner, 0, most - 1), return_inverse=True)[1]
    edges = np.flatnonzero(np.diff(bins, prepend=-1))
    return bins[level], levels[edges], levels[np.append(edges[1:], levels.size) - 1]


def median_by_bins(low: Floats, high: Floats) -> Callable[[Floats], Floats]:
    """The medians of samples of which it is counted how much lies in each bin.

    Parameters
    ----------
    low, high : (bins,) arrays
        Smallest and largest loss of each bin.

    Returns
    -------
    callable
        (R, bins) counts, or sums of weights → (R,) medians.
    """

    def median(drawn: Floats) -> Floats:
        reached = np.cumsum(drawn, axis=1)
        half = reached[:, -1] / 2
        at = (reached < half[:, None]).sum(axis=1)
        row = np.arange(len(drawn))
        inside = (half - (reached[row, at] - drawn[row, at])) / drawn[row, at]
        value: Floats = low[at] + inside * (high[at] - low[at])
        # half of an even number of rows lies exactly at a bin's end: the mean of both neighbours
        after = np.minimum((reached <= half[:, None]).sum(axis=1), low.size - 1)
        return np.asarray(np.where(reached[row, at] == half, (value + low[after]) / 2, value))

    return median


def weighted_median(values: Any, weight: Any) -> float:
    """Where half of the weight is reached; the middle of two values where it is so at one's end.

    Parameters
    ----------
    values : (n,) array
    weight : (n,) array
        At least 0, not all 0.

    Examples
    --------
    >>> weighted_median([1.0, 2.0, 9.0], [1.0, 1.0, 3.0]), weighted_median([1.0, 3.0], [1.0, 1.0])
    (9.0, 2.0)
    """
    values, weight = np.asarray(values, np.float64), np.asarray(weight, np.float64)
    values, weight = values[weight > 0], weight[weight > 0]
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weight[order])
    half = reached[-1] / 2
    first, after = (reached < half).sum(), min((reached <= half).sum(), values.size - 1)
    found = values[order][first]
    return float((found + values[order][after]) / 2 if reached[first] == half else found)
