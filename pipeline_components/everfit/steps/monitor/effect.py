"""How far apart two distributions are: the size of a drift, whatever its significance.

The same measures Evidently uses on large samples, computed from bins: the Wasserstein distance in
standard deviations of the reference for numbers, the Jensen-Shannon distance (natural logarithm)
for categories. The latter is written in standard deviations too (`in_deviations`), so that one
threshold means the same of a number, a flag, a category and missing values. Two samples of one
distribution are never at distance zero: each measure knows what it would be by chance alone, and
`without_noise` takes that off where it could explain the distance.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from everfit.ml.profiles.bins import Cells, quantile, rank

Array = np.ndarray[Any, np.dtype[Any]]

OUTER = 0.005
"""Share of the values on either side that a heavy-tailed column is measured without."""

HEAVY = 0.5
"""Tails are heavy where the values between the outer ones have less of the deviation than this."""

REACH = 3.0
"""Widths of the middle 99 % beyond which a value is as far as any."""


class Distance(NamedTuple):
    """A distance between two samples, and what it would be without a difference."""

    value: float
    chance: float
    """Mean distance of two independent samples of these sizes from one distribution."""
    measure: str


def without_noise(distance: Distance) -> float:
    """The distance less what chance adds to it.

    Noise adds about its own mean to a distance of zero and next to nothing to one several times as
    large, as with the mean of ``|d + Z|`` for a standard normal ``Z``; the answer is the ``d`` that
    would give the distance found. From about three times the mean by chance on it is the distance
    itself.
    """
    value, chance, _ = distance
    if chance <= 0 or not math.isfinite(value):
        return value
    inside, outside = _folded()
    seen = outside[0] * value / chance
    if seen >= outside[-1]:
        return value
    return float(np.interp(seen, outside, inside)) * chance / float(outside[0])


@cache
def _folded() -> tuple[Array, Array]:
    """The mean of ``|d + Z|`` for some ``d``, from 0 to 5."""
    inside = np.linspace(0, 5, 201)
    tail = np.array([math.erf(d / math.sqrt(2)) for d in inside])
    return inside, math.sqrt(2 / math.pi) * np.exp(-(inside**2) / 2) + inside * tail


def wasserstein(reference: Cells, current: Cells, std: float) -> Distance:
    """Wasserstein distance between two columns of numbers, in standard deviations.

    One absurd value must not count as drift, nor hide it. Values beyond the reference's middle 99 %
    by more than three times its width are moved in to there, on both sides alike. Where extreme
    values make up most of the reference's standard deviation, nothing that happens to the others
    would show: there all values are moved into the middle 99 %.

    Parameters
    ----------
    reference, current : Cells
        At least one value each.
    std : float
        Of the reference.
    """
    ends = quantile(reference, np.array([OUTER, 1 - OUTER]))
    inner = _clipped_std(reference, float(ends[0]), float(ends[1]))
    measure = "Wasserstein distance / std"
    reach = REACH * (ends[1] - ends[0]) or np.inf
    if 0 < inner < HEAVY * std or not math.isfinite(std):
        std, reach, measure = inner, 0.0, "Wasserstein distance / std, without the outer 1 %"
    edges = np.concatenate([*reference[:2], *current[:2]])
    edges = np.unique(np.clip(edges, ends[0] - reach, ends[1] + reach))
    std = max(std, 1e-3 * float(np.max(np.abs(ends))), 1e-300)
    if len(edges) < 2:
        return Distance(0.0, 0.0, measure)
    n, m = float(reference.mass.sum()), float(current.mass.sum())
    after, before = edges[:-1], np.nextafter(edges[1:], -np.inf)
    width = np.diff(edges)
    f_after, g_after = rank(reference, after) / n, rank(current, after) / m
    f_before, g_before = rank(reference, before) / n, rank(current, before) / m
    value = float(np.sum(_between(f_after - g_after, f_before - g_before) * (width / std)))
    pooled = (n * (f_after + f_before) + m * (g_after + g_before)) / (2 * (n + m))
    deviation = np.sqrt(np.clip(pooled * (1 - pooled), 0, None) * (1 / n + 1 / m))
    chance = math.sqrt(2 / math.pi) * float(np.sum(deviation * (width / std)))
    return Distance(value, chance, measure)


def _between(left: Array, right: Array) -> Array:
    """Mean of ``|x|`` while x goes straight from left to right."""
    one, other = np.abs(left), np.abs(right)
    total = np.where(one + other > 0, one + other, 1.0)
    answer: Array = np.where(left * right >= 0, total / 2, (one**2 + other**2) / (2 * total))
    return np.where(one + other > 0, answer, 0.0)


def _clipped_std(cells: Cells, low: float, high: float) -> float:
    """Standard deviation of the values, those outside moved to the ends."""
    below, above = np.clip(cells.low, low, high), np.clip(cells.high, low, high)
    total = cells.mass.sum()
    middle = below / 2 + above / 2
    mean = float(np.sum(middle * (cells.mass / total)))
    spread = (middle - mean) ** 2 + (above - below) ** 2 / 12
    return math.sqrt(float(np.sum(spread * (cells.mass / total))))


ROOT_EIGHT = math.sqrt(8)


def in_deviations(distance: Distance) -> Distance:
    """A Jensen-Shannon distance times the square root of 8, which is a shift in deviations.

    A share that goes from ``p`` to ``q`` is the mean of a flag. For close shares, the distance
    times the root of 8 is ``|q - p|`` over the flag's standard deviation, as the Wasserstein
    distance of the flag would be; of several shares, it is Cohen's ``w`` [1]_.

    References
    ----------
    .. [1] Cohen, J. (1988). Statistical power analysis for the behavioral sciences, section 7.2.
    """
    return Distance(
        ROOT_EIGHT * distance.value,
        ROOT_EIGHT * distance.chance,
        "Jensen-Shannon distance, in standard deviations",
    )


def jensen_shannon(reference: Array, current: Array) -> Distance:
    """Jensen-Shannon distance between the shares of categories.

    Parameters
    ----------
    reference, current : ndarray, shape (k,)
        Counts, at least one each.
    """
    n, m = float(reference.sum()), float(current.sum())
    p, q = reference / n, current / m
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * np.log(p / middle), 0) + np.where(
            q > 0, q * np.log(q / middle), 0
        )
    value = math.sqrt(max(float(terms.sum()) / 2, 0.0))
    freedom = int(np.sum(middle > 0)) - 1
    if freedom < 1:
        return Distance(0.0, 0.0, "Jensen-Shannon distance")
    # 8 n m / (n + m) times the square is about chi-squared without a difference.
    mean = math.sqrt(2) * math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2))
    chance = mean * math.sqrt((1 / n + 1 / m) / 8)
    return Distance(value, chance, "Jensen-Shannon distance")
