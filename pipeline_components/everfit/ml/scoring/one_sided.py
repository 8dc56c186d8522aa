"""One-sided p-values that agree with the bounds of ``tails``."""

from __future__ import annotations

import numpy as np

from everfit.ml.scoring.resampling import Floats
from everfit.ml.scoring.tails import tails

LEVELS = np.geomspace(0.5, 1e-6, 402)[1:]
"""Falling; each 3 % below the one before, and no p-value is finer."""


def p_below_zero(
    value: float,
    parts: Floats,
    in_time: bool,
    *,
    weight: Floats | None = None,
    best: float = 0.0,
) -> float | None:
    """One-sided p-value of the hypothesis that the true value is not below zero.

    Parameters
    ----------
    value : float
        The estimate.
    parts : (units,) float array
        What each unit of rows says of it: its pseudo-values, up to a constant.
    in_time : bool
        Whether units lie in time order, so that neighbours may resemble each other.
    weight : (units,) float array, optional
        Of the units, where rows are weighted.
    best : float
        How far above the mean one row may take its unit, as is known from elsewhere.

    Returns
    -------
    float or None
        The smallest of ``LEVELS`` whose upper bound lies below zero, rounded up to one of them; 1
        where none does. None where there are no bounds: too few units, or a part is not finite.

    Examples
    --------
    Twenty units around -1, with a standard error of about 0.2:

    >>> parts = np.linspace(-1.5, 1.5, 20)
    >>> p_below_zero(-1.0, parts, in_time=False) < 0.001
    True
    >>> p_below_zero(1.0, parts, in_time=False)
    1.0
    """
    found = tails(parts, LEVELS, in_time, weight=weight, best=best)
    if found is None or not np.isfinite(value):
        return None
    surely = value + found.above < 0
    return float(LEVELS[np.flatnonzero(surely)[-1]]) if surely.any() else 1.0
