"""Questions to one column: have its values moved, spread, or changed in another way.

Counts of two windows in the same ``k`` cells give a vector whose squared length is the two-sample
chi-squared statistic. It is cut into parts at right angles: where the values lie (van der Waerden's
normal scores, nearly as strong as the t-test for a shift), how wide they are spread, and all else.
Each part has its own over-dispersion, so that a season which moves a column does not hide a change
of its shape. Of categories, the one that moved most is asked alone, and all are asked together.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

EXACT = 25.0
"""Rows expected in the smaller cell of two, below which the exact test is asked."""


class Part(NamedTuple):
    """One question of a column."""

    name: str
    share: float
    """Of the column's level."""
    axes: Array | None
    """Directions, shape (d, k), orthonormal; None: all that the others leave over."""
    apart: bool = True
    """Whether the others leave these directions to it."""


class Question(NamedTuple):
    """One question, put to the current span and to those before it."""

    name: str
    share: float
    current: Array
    """Place of the current span, shape (d,): of variance 1 / effective rows without drift."""
    past: Array
    """Places of the spans before it, shape (s, d)."""
    dims: int
    """Degrees of freedom: d, less what other parts took."""


def parts_of_numbers(share: Array) -> tuple[Part, ...]:
    """Place, width and shape, for cells in order; ``share`` of the values in each, above 0."""
    from scipy.special import ndtri

    root = np.sqrt(share)
    scores = ndtri(np.cumsum(share) - share / 2)
    place = scores - np.sum(share * scores)
    axes = [root * place / np.sqrt(np.sum(share * place**2))]
    if len(share) == 2:
        return (Part("place", 1.0, np.array(axes)),)
    wide = scores**2
    wide = wide - np.sum(share * wide)
    vector = root * wide
    vector -= (vector @ axes[0]) * axes[0]
    axes.append(vector / np.sqrt(vector @ vector))
    if len(share) == 3:
        return (Part("place", 0.7, np.array(axes[:1])), Part("width", 0.3, np.array(axes[1:])))
    return (
        Part("place", 0.6, np.array(axes[:1])),
        Part("width", 0.2, np.array(axes[1:])),
        Part("shape", 0.2, None),
    )


def parts_of_categories(kind: str, pooled: Array, moved: Array) -> tuple[Part, ...]:
    """The category whose share has moved most, against all others, and all categories together.

    A change of one of ten categories is spread thin over nine directions; asked alone it is found
    at a third of the rows. It was chosen among k, so that its share of the level is divided by k.
    """
    cells = len(pooled)
    if cells <= 2:
        return (Part(kind, 1.0, None),)
    most = int(np.argmax(np.abs(moved) / np.sqrt(pooled * (1 - pooled))))
    scores = -pooled[most] * np.sqrt(pooled)
    scores[most] += np.sqrt(pooled[most])
    axis = scores / np.sqrt(scores @ scores)
    return (Part(f"one {kind}", 0.5 / cells, axis[None, :], apart=False), Part(kind, 0.5, None))


def ask(parts: tuple[Part, ...], pooled: Array, moved: Array, past: Array) -> list[Question]:
    """Put the questions.

    Parameters
    ----------
    parts : tuple of Part
    pooled : ndarray, shape (k,)
        Share of the values of both windows in each cell, above 0.
    moved : ndarray, shape (k,)
        Shares of the current span less those of the reference.
    past : ndarray, shape (s, k)
        The same of the spans before it.
    """
    root = np.sqrt(pooled)
    left, left_past = moved / root, past / root
    taken = 1
    questions = []
    for part in parts:
        if part.axes is None:
            found, found_past, dims = left, left_past, len(pooled) - taken
        else:
            found, found_past, dims = left @ part.axes.T, left_past @ part.axes.T, len(part.axes)
            if part.apart:
                left = left - found @ part.axes
                left_past = left_past - found_past @ part.axes
                taken += dims
        questions.append(Question(part.name, part.share, found, found_past, dims))
    return questions


def exact_square(first: int, of_first: int, second: int, of_second: int) -> float:
    """The chi-squared value, of one degree of freedom, that says what the exact test says.

    Parameters
    ----------
    first, of_first, second, of_second : int
        Rows with a property, of so many, in either window.

    References
    ----------
    .. [1] Fisher, R. A. (1922). On the interpretation of chi-square from contingency tables.
       Journal of the Royal Statistical Society 85, 87-94; two-sided by doubling.
    """
    from scipy.stats import chi2, hypergeom

    table = hypergeom(of_first + of_second, first + second, of_first)
    tail = min(float(table.cdf(first)), float(table.sf(first - 1)))
    return float(chi2.isf(min(1.0, max(2 * tail, 1e-300)), 1))
