"""How much of the budget one evaluation spends: arithmetic alone, on numbers or on arrays.

The budget begins empty. What new rows bring is added before an evaluation spends, and an evaluation
spends half of what is there. So evaluations never spend more than was ever added, however many they
are: the first one on a holdout gets half of what its rows brought, the second a quarter, and so on.
"""

from __future__ import annotations

from typing import Any

FAINTEST = 1 / 16
"""A level below this share of what the holdout brings when it is new is too small to judge at."""
SMALLEST = 1e-5
"""Evaluate publishes no interval for a smaller level (``scoring.tails``): it would be wasted."""


def level_cap(confidence: float) -> float:
    """The largest level: beyond it the interval would be narrower than the one that is shown."""
    return round((1 - confidence) / 2, 12)


def least_level(whole: Any) -> Any:
    """The smallest level that is worth spending on a holdout.

    Parameters
    ----------
    whole : float or array
        What its spans bring where all of them are new.
    """
    return largest_of(whole * FAINTEST, SMALLEST)


def spend(pool: Any, whole: Any, cap: float, left: Any = float("inf")) -> Any:
    """What an evaluation spends: its one-sided chance of a false promotion.

    Parameters
    ----------
    pool : float or array
        The budget, with what the evaluation's new rows have brought.
    whole : float or array
        What the evaluation's spans bring where all are new.
    cap : float
        See ``level_cap``.
    left : float or array
        What the evaluations of the last year have left of a year's budget.

    Returns
    -------
    float or array
        Half of the pool, at most ``cap`` and ``left``; 0 where half of the pool or ``left`` is
        less than ``least_level``: the budget is exhausted, and nothing is spent. So where hardly
        anything is added between two evaluations, some spend nothing until the next one can.

    Notes
    -----
    Only comparisons, products and sums of these, so that arrays broadcast.
    """
    available = least_of(pool / 2, left)
    enough = available >= least_level(whole)
    return least_of(available, cap) * enough


def least_of(one: Any, other: Any) -> Any:
    """The smaller of two numbers, or of each pair."""
    if isinstance(one, float | int) and isinstance(other, float | int):
        return min(one, other)
    import numpy as np

    return np.minimum(one, other)


def largest_of(one: Any, other: Any) -> Any:
    """The larger of two numbers, or of each pair."""
    if isinstance(one, float | int) and isinstance(other, float | int):
        return max(one, other)
    import numpy as np

    return np.maximum(one, other)
