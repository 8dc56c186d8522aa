"""How much of the pool one look spends: arithmetic alone, on numbers or on arrays of them.

The pool begins empty. What fresh rows bring is added before a look spends, and a look spends half
of what is there. So looks never spend more than was ever added, however many there are: the first
look at a holdout gets half of what its rows brought, the second a quarter, and so on.
"""

from __future__ import annotations

from typing import Any

FAINTEST = 1 / 16
"""A level below this share of what the holdout brings when it is fresh is no level to judge at."""


def level_cap(confidence: float) -> float:
    """The largest level: beyond it the interval would be narrower than the one that is shown."""
    return round((1 - confidence) / 2, 12)


def spend(pool: Any, whole: Any, cap: float, left: Any = float("inf")) -> Any:
    """What a look spends: its one-sided chance of a false promotion.

    Parameters
    ----------
    pool : float or array
        What is there, with what the look's fresh spans have brought.
    whole : float or array
        What the look's spans bring where all are fresh.
    cap : float
        See ``level_cap``.
    left : float or array
        What the looks of the last year have left of a year's budget.

    Returns
    -------
    float or array
        Half of the pool, at most ``cap`` and ``left``; 0 where half of the pool or ``left`` is
        less than a sixteenth of ``whole``: the budget is exhausted, and nothing is spent.

    Notes
    -----
    Only comparisons, products and sums of these, so that arrays broadcast.
    """
    half = pool / 2
    least = least_of(half, left)
    enough = (least > 0) & (least >= whole * FAINTEST)
    return least_of(least, cap) * enough


def least_of(one: Any, other: Any) -> Any:
    """The smaller of two numbers, or of each pair."""
    if isinstance(one, float | int) and isinstance(other, float | int):
        return min(one, other)
    import numpy as np

    return np.minimum(one, other)
