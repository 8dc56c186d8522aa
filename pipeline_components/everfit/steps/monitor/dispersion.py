"""How much spans of one pipeline differ when nothing has drifted.

Rows of a span depend on each other, spans have their own luck, and seasons come and go, so that two
spans differ more than two samples of independent rows would. How much more is read off the past, in
two ways, and the test allows for the larger:

- `successive_spread`: each span with the one before it. All spans take part, those since the
  reference too, and none of it is noise of the reference, which all later spans share. So it says
  something from three spans on. It does not see what changes slowly, such as a season.
- `past_spread`: each earlier span with as many spans, as long before it, as the current one is with
  the reference. It sees seasons that have come round, and needs a longer past.

The mean square of what is found, over what independent rows would give, is the *over-dispersion*
(1: none), estimated from so many comparisons, which the test allows for.

The past may hold real shifts, and they must not become normal. Spans just before the current one
that have moved the same way are not compared with older ones (`_since_it_moved`): they are the
drift in question. Where the past falls into pieces far apart (`_pieces`), only comparisons within a
piece count, unless the current span is back at an earlier one: that is a season.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

ENOUGH = 4
"""Comparisons as long apart as the current one from which the past says something."""

SPANS = 3
"""Known spans from which their successive differences say something; below, nothing is assessed."""

JUMP = 9.0
"""The drift in question began where a difference is so many times the others' mean square."""

WANTED = 8
"""Comparisons wanted before the gap between spans is kept as it is for the current one."""

APART = 6.0
"""Pieces of the past are different worlds when so many times their own spread apart."""

LEAST_PIECE = 3

MOVED = 0.1
"""Part of the current span's way that a span before it has gone if it moved with it."""

ALONE = 0.03
"""A column whose spans differ more than this chance of its kind learns from its own past alone."""

INDEPENDENT = 2 / 3
"""Comparisons share spans: so many count as independent (docs/explanation/drift.md)."""


class Spread(NamedTuple):
    """What past comparisons of one test came to."""

    variance: float
    """Mean square over what independent rows would give."""
    dims: float
    """Directions it really has: between 1 and those of the test."""
    freedom: float
    """Degrees of freedom of the variance."""
    comparisons: int
    growth: float
    """Effective rows of the current comparison over those of the past ones, at least 1."""
    squares: Array = np.zeros(0)
    """What each comparison came to, in order; other columns' are compared with them."""


class Timeline(NamedTuple):
    """Spans before the current one that have the column, oldest first."""

    rows: Array
    """Values of each, shape (s,)."""
    reference: Array
    """Whether each belongs to the reference, shape (s,)."""

    @property
    def uneven(self) -> float:
        """Sum of the squared weights of the reference's spans: 1 / their number, if of one size."""
        rows = self.rows[self.reference]
        return float(np.sum((rows / rows.sum()) ** 2)) if len(rows) else 1.0


def successive_spread(
    spans: Array, current: Array, dims: int, timeline: Timeline, effective: float
) -> Spread:
    """Over-dispersion of one test, from the differences of successive spans.

    Parameters
    ----------
    spans, current, dims, timeline, effective
        As of ``past_spread``.

    Returns
    -------
    Spread
        With no comparisons where the past says nothing.

    References
    ----------
    .. [1] von Neumann, J. (1941). Distribution of the ratio of the mean square successive
       difference to the variance. Annals of Mathematical Statistics 12, 367-395.
    """
    inside = np.flatnonzero(timeline.reference)
    if not len(inside) or len(spans) < SPANS:
        return Spread(1.0, float(dims), 0.0, 0, 1.0)
    rows = timeline.rows
    sizes = rows[1:] * rows[:-1] / (rows[1:] + rows[:-1])
    scaled = np.diff(spans, axis=0) * np.sqrt(sizes)[:, None]
    squares = np.sum(scaled**2, axis=1) / dims
    moved = _since_it_moved(spans, current, int(inside[-1]))
    begins = _pieces(spans[:moved], rows[:moved], current)
    kept = np.append(begins[1:] == begins[:-1], np.ones(len(spans) - moved, dtype=bool))
    if moved < len(spans) and kept[moved - 1] and kept.sum() >= ENOUGH:
        others = kept.copy()
        others[moved - 1] = False
        kept[moved - 1] = squares[moved - 1] <= JUMP * squares[others].mean()
    if kept.sum() < SPANS - 1:
        kept[:] = True
    real = min(_directions(scaled[kept]), float(dims))
    # Two spans share what one of them has of its own; a window of several has less.
    same = effective * (1 + timeline.uneven) / (2 * float(np.median(sizes)))
    return Spread(
        float(squares[kept].mean()),
        real,
        max(1.0, real * kept.sum() * INDEPENDENT),
        int(kept.sum()),
        max(1.0, same),
        np.where(kept, squares, np.nan),
    )


def past_spread(
    spans: Array, current: Array, dims: int, timeline: Timeline, effective: float
) -> Spread:
    """Over-dispersion of one test, from the past.

    Parameters
    ----------
    spans : ndarray, shape (s, d)
        Each span's place relative to the reference, scaled so that a component has variance 1
        over independent rows times the square root of the effective rows.
    current : ndarray, shape (d,)
        Place of the current span.
    dims : int
        Degrees of freedom; less than d where the places lie in a subspace.
    timeline : Timeline
    effective : float
        ``n m / (n + m)`` of the current comparison.
    """
    nothing = Spread(1.0, float(dims), 0.0, 0, 1.0)
    inside = np.flatnonzero(timeline.reference)
    if not len(inside) or len(spans) < ENOUGH:
        return nothing
    last, wide = int(inside[-1]), len(inside)
    used = _since_it_moved(spans, current, last)
    if used < ENOUGH:
        return nothing
    gap = min(len(spans) - 1 - last, max(0, used - 1 - WANTED))
    begins = _pieces(spans[:used], timeline.rows[:used], current)
    index = np.arange(used)
    high = index - gap
    low = np.maximum(np.maximum(high - wide, begins), 0)
    index, low, high = (values[high > low] for values in (index, low, high))
    if len(index) < ENOUGH:
        return nothing
    rows = timeline.rows[:used]
    total = np.concatenate([[0.0], np.cumsum(rows)])
    moments = np.concatenate(
        [np.zeros((1, spans.shape[1])), np.cumsum(spans[:used] * rows[:, None], axis=0)]
    )
    before = total[high] - total[low]
    places = spans[index] - (moments[high] - moments[low]) / before[:, None]
    sizes = rows[index] * before / (rows[index] + before)
    scaled = places * np.sqrt(sizes)[:, None]
    squares = np.sum(scaled**2, axis=1)
    real = min(_directions(scaled), float(dims))
    return Spread(
        float(squares.mean()) / dims,
        real,
        max(1.0, real * len(index) * INDEPENDENT),
        len(index),
        max(1.0, effective / float(np.median(sizes))),
        squares / dims,
    )


def _directions(scaled: Array) -> float:
    """Satterthwaite's number of directions that a quadratic form really has."""
    if scaled.shape[1] == 1:
        return 1.0
    inner = scaled @ scaled.T
    whole = float(np.trace(inner))
    square = float(np.sum(inner**2))
    return max(1.0, whole**2 / square) if square > 0 else float(scaled.shape[1])


def _since_it_moved(spans: Array, current: Array, last: int) -> int:
    """Spans before those, newer than the reference, that have moved as the current one has."""
    used = len(spans)
    size = float(current @ current)
    while used > last + 1 and float(spans[used - 1] @ current) > MOVED * size:
        used -= 1
    return used


def _pieces(spans: Array, rows: Array, current: Array) -> Array:
    """Where the piece of the past that each span belongs to begins; shape (s,)."""
    begins = np.zeros(len(spans), dtype=np.int64)
    todo = [(0, len(spans))]
    while todo:
        start, end = todo.pop()
        cut = _cut(spans[start:end], rows[start:end], current)
        if cut:
            begins[start + cut : end] = start + cut
            todo += [(start, start + cut), (start + cut, end)]
    return begins


def _cut(spans: Array, rows: Array, current: Array) -> int:
    """Where the spans fall in two, or 0."""
    size, best, where = len(spans), APART**2, 0
    if size < 2 * LEAST_PIECE:
        return 0
    # Noise of independent rows: below it, a piece has no spread of its own.
    noise = spans.shape[1] / float(np.median(rows))
    sums = np.cumsum(spans, axis=0)
    squares = np.cumsum(np.sum(spans**2, axis=1))
    for cut in range(LEAST_PIECE, size - LEAST_PIECE + 1):
        one, other = sums[cut - 1] / cut, (sums[-1] - sums[cut - 1]) / (size - cut)
        inside = squares[-1] - cut * float(one @ one) - (size - cut) * float(other @ other)
        apart = float(np.sum((one - other) ** 2))
        ratio = apart / max(inside / size, noise)
        if ratio > best and not _is_back(current, one, apart):
            best, where = ratio, cut
    return where


def _is_back(current: Array, older: Array, apart: float) -> bool:
    """Whether the current span is where the older piece was."""
    return float(np.sum((current - older) ** 2)) < apart / 16


def different_columns(squares: Sequence[Array]) -> float:
    """Number of columns that are as good as independent, from how they differed span by span.

    Columns that repeat one another are lucky together, and say no more than one of them.

    Parameters
    ----------
    squares : sequence of ndarray
        ``Spread.squares`` of each column; those of another length than most are left out.

    Returns
    -------
    float
        Between 1 and the number of columns.
    """
    if not squares:
        return 1.0
    lengths = [len(column) for column in squares]
    usual = max(set(lengths), key=lengths.count)
    table = np.array([column for column in squares if len(column) == usual])
    table = np.where(np.isnan(table), np.nanmean(table, axis=1, keepdims=True), table)
    table = table - table.mean(axis=1, keepdims=True)
    size = np.sqrt(np.sum(table**2, axis=1, keepdims=True))
    table = table[size[:, 0] > 0] / size[size[:, 0] > 0]
    columns = len(table)
    if columns < 2 or usual < SPANS - 1:
        return 1.0
    # Mean correlation of two columns, from the squared length of their sum.
    alike = (float(np.sum(table.sum(axis=0) ** 2)) - columns) / (columns * (columns - 1))
    return len(squares) / (1 + (len(squares) - 1) * min(max(alike, 0.0), 1.0))


def moderate(
    variances: Sequence[float], freedom: Sequence[float], different: float
) -> tuple[Array, Array]:
    """Variances of many columns that inform one another, and their degrees of freedom.

    A few past spans say little of one column, and more of all columns together: each variance is
    drawn towards what is common, the more so the more alike they are [1]_. A column that stands
    out upwards keeps its own.

    Parameters
    ----------
    variances, freedom : sequence of float, length g
        Each greater than 0.
    different : float
        Columns that are as good as independent, of the g.

    References
    ----------
    .. [1] Smyth, G. K. (2004). Linear models and empirical Bayes methods for assessing differential
       expression. Statistical Applications in Genetics and Molecular Biology 3, article 3,
       section 6; with medians for means.
    """
    from scipy.special import digamma, fdtrc, polygamma

    found, own = np.array(variances, dtype=np.float64), np.array(freedom, dtype=np.float64)
    if len(found) < ENOUGH:
        return found, own
    logs = np.log(found) - digamma(own / 2) + np.log(own / 2)
    centre = float(np.median(logs))
    width = float(np.subtract(*np.quantile(logs, [0.75, 0.25]))) / 1.349
    excess = width**2 - float(np.mean(polygamma(1, own / 2)))
    most = float(own.mean()) * different
    prior = min(2 * _trigamma_inverse(excess), most) if excess > 0 else most
    common = math.exp(centre + float(digamma(prior / 2)) - math.log(prior / 2))
    alike = fdtrc(own, prior, found / common) > ALONE
    drawn = (prior * common + own * found) / (prior + own)
    return np.where(alike, drawn, found), np.where(alike, prior + own, own)


def _trigamma_inverse(value: float) -> float:
    """Newton's method on the convex function 1 / trigamma."""
    from scipy.special import polygamma

    guess = 0.5 + 1 / value
    for _ in range(50):
        now = float(polygamma(1, guess))
        step = now * (1 - now / value) / float(polygamma(2, guess))
        guess += step
        if abs(step) < 1e-8 * guess:
            break
    return guess
