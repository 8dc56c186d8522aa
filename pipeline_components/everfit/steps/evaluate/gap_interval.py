"""Intervals of sizes: of what is never below zero, and looks larger than it is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from everfit.contracts.messages.verdicts import Estimate
from everfit.ml.scoring.resampling import Floats, Resampling


def size_estimate(
    size: Callable[[Floats], Floats],
    parts: Floats,
    replicates: Floats,
    resampling: Resampling,
    *,
    rows: int,
    confidence: float,
) -> Estimate | None:
    """The size of some differences, a largest one or a sum, with its interval.

    Chance alone makes differences, so a size is too large, and its resamples are more so: their
    upper end is safe, their lower end is not. A true size is at least the one seen less that of
    the noise in it (the triangle inequality), and the noise is how far resamples lie from the
    sample.

    Parameters
    ----------
    size : callable
        (..., k) differences → (...) sizes; a seminorm.
    parts : (k,) float array
        The differences on all rows.
    replicates : (R, k) float array
        The same on resamples.
    resampling : Resampling
    rows : int
    confidence : float

    Returns
    -------
    Estimate or None
        Holds the value; ``low`` is at least 0. None where an end is not finite.
    """
    value = float(size(parts))
    _, high = resampling.interval(size(replicates), confidence)
    _, noise = resampling.interval(size(replicates - parts), confidence)
    if not np.isfinite([value, high, noise]).all():
        return None
    return Estimate(
        value=value,
        low=max(value - noise, 0.0),
        high=max(high, value),
        rows=rows,
        method=f"{resampling.method}, less their noise at the lower end",
    )
