"""Bounds of a gain at the small levels that single holdout evaluations may spend.

Two thousand resamples cannot tell a chance of one in a thousand, and Student's t promises too much
where a few rows are far worse than the others: what the sample has not yet seen of them makes its
mean too good and its spread too small at once. Here each side is Student's distance, computed as if
there were one more unit, as bad as the worst of those seen or known to be possible, and widened for
skewness: by Hall's correction, at most ``MOST_SKEWED`` times, and by the gamma law that is exact
where rare events of one size are counted. No side is ever narrower than Student's. Units in time
order that resemble their neighbours count as fewer. Units of unequal weight count as the number of
equal ones they are worth, and the one more may be as bad as the worst and as heavy as the heaviest.
docs/explanation/gate.md has what was tried and how often each was wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri, stdtrit

from everfit.ml.scoring.resampling import Floats, effective

LARGEST, SMALLEST, STEPS = 0.025, 1e-5, 36
LEVELS: tuple[float, ...] = tuple(
    LARGEST * (SMALLEST / LARGEST) ** (step / (STEPS - 1)) for step in range(STEPS)
)
"""One-sided levels at which bounds are published, falling; each 1.25 times the next."""
FEWEST_UNITS = 10
"""With fewer units there are no bounds."""
MOST_SKEWED = 1.5
"""Hall's correction widens Student's distance by no more: with few units it has no end."""
_SAME = 1e-9


@dataclass(frozen=True)
class Tails:
    """Distances of the bounds from an estimate.

    Attributes
    ----------
    error : (...) float array
        Standard error.
    units : (...) float array
        Independent units behind it: fewer than there are where neighbours resemble each other.
    below, above : (..., levels) float arrays
        Distances down and up, at least 0; they grow as the level falls.
    """

    error: Floats
    units: Floats
    below: Floats
    above: Floats


def levels_of(confidence: float) -> tuple[float, ...]:
    """``LEVELS`` with the level of one side of the interval that is shown; falling."""
    shown = (1 - confidence) / 2
    others = [level for level in LEVELS if abs(level - shown) > _SAME]
    return tuple(sorted([*others, shown], reverse=True))


def tails(
    parts: Floats,
    levels: Any,
    in_time: bool,
    worst: Any = 0.0,
    *,
    best: Any = 0.0,
    weight: Floats | None = None,
) -> Tails | None:
    """Distances from an estimate to its bounds on either side.

    Parameters
    ----------
    parts : (..., units) float array
        What each unit says of the estimate: its pseudo-values, up to a constant. Many estimates
        may be asked for at once.
    levels : (levels,) floats
        One-sided chances of a miss, in (0, 0.5).
    in_time : bool
        Whether units lie in time order, so that neighbours may resemble each other.
    worst : (...) floats
        How far below the mean one row may take its unit, as is known from elsewhere (``unseen``);
        for the bound below alone.
    best : (...) floats
        The same above the mean, for the bound above alone.
    weight : (..., units) float array, optional
        Of the units, at least 0, where their rows are weighted.

    Returns
    -------
    Tails or None
        None with fewer than ``FEWEST_UNITS`` units, where a part is not finite, and where all
        units are worth fewer of equal weight.

    Notes
    -----
    With mean 0, variance ``v`` and skewness ``g`` of the ``n`` units and the one more, and
    ``y = t / sqrt(n)``, Student's distance is ``sqrt(v) y`` and Hall's ``sqrt(v)
    (3 / g) ((1 + g (y - g / (6 n)))^(1/3) - 1)``. A sum of a few events of one size is bounded by
    a gamma law whose shape is their number, the one more among them [3]_; in general that number
    is taken as ``n / g^2``, and Student's distance is widened as that law is wider than the normal
    one: 1.9 times at a level of 0.001 where there is one event, and 1.1 times with a hundred.

    References
    ----------
    .. [1] Hall, "On the Removal of Skewness by Transformation", J. Royal Statistical Society B
       54(1), 1992, section 2.
    .. [2] Johnson, "Modified t Tests and Confidence Intervals for Asymmetrical Populations",
       J. American Statistical Association 73, 1978: what left skewness does to Student's t.
    .. [3] Fay, Feuer, "Confidence Intervals for Directly Standardized Rates", Statistics in
       Medicine 16, 1997, equation 4: one more event of the largest weight, and a gamma law.
    """
    parts = np.asarray(parts, dtype=np.float64)
    count = parts.shape[-1] if parts.ndim else 0
    if count < FEWEST_UNITS or not np.isfinite(parts).all():
        return None
    centred = parts - parts.mean(axis=-1, keepdims=True)
    worst, best = (
        np.broadcast_to(np.asarray(one, dtype=np.float64), centred.shape[:-1])
        for one in (worst, best)
    )
    scale = np.maximum(np.abs(centred).max(axis=-1), np.maximum(np.abs(worst), best))[..., None]
    with np.errstate(invalid="ignore"):
        centred = np.where(scale > 0, centred / scale, 0.0)  # cubes of tiny numbers vanish
    square = centred * centred
    variance, third = square.mean(axis=-1), (square * centred).mean(axis=-1)
    units = independent(centred, variance) if in_time else np.full(variance.shape, float(count))
    wanted = np.asarray(levels, dtype=np.float64)
    size = scale[..., 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        # one row is one row, however much its unit resembles the next one
        low, high = (np.where(size > 0, one / size * units / count, 0.0) for one in (worst, best))
    lowest, highest = np.minimum(centred.min(axis=-1), low), np.maximum(centred.max(axis=-1), high)
    free = None
    if weight is not None:
        worth = effective(weight)
        if np.any(worth < FEWEST_UNITS):
            return None
        free = units * worth / count
        with np.errstate(invalid="ignore", divide="ignore"):
            of_one = np.where(weight > 0, centred / weight, 0.0)
        heavy = (weight.mean(axis=-1) * count / worth)[..., None] * of_one
        lowest = np.minimum(lowest, heavy.min(axis=-1))
        highest = np.maximum(highest, heavy.max(axis=-1))
    sides = [
        _distance(variance, third, lowest, units, wanted, free),
        _distance(variance, -third, -highest, units, wanted, free),
    ]
    error = np.sqrt(variance * count / (count - 1) / units)
    return Tails(error * size, units, *(side * size[..., None] for side in sides))


def independent(centred: Floats, variance: Floats) -> Floats:
    """Number of independent units that dependent ones are worth.

    By the correlation of neighbours, which is taken not to reach beyond the next unit. A negative
    correlation gains nothing.

    Parameters
    ----------
    centred : (..., units) float array
        In time order, with mean 0.
    variance : (...) float array
        Mean square.
    """
    count = centred.shape[-1]
    product = (centred[..., 1:] * centred[..., :-1]).sum(axis=-1) / count
    with np.errstate(invalid="ignore"):
        likeness = np.where(variance > 0, product / variance + 1 / count, 0.0)  # less its bias
    return np.asarray(count / (1 + 2 * np.clip(likeness, 0.0, 1.0)))


def _distance(
    variance: Floats,
    third: Floats,
    worst: Floats,
    units: Floats,
    levels: Floats,
    free: Floats | None,
) -> Any:
    """From the mean down to the lower bound, for every level.

    ``free`` are the units that the variance is known by, where some are heavier than others.
    """
    share = 1 / (units + 1)  # of the one more unit
    shift = -worst * share
    v = (1 - share) * (variance + share * worst**2)
    k = (1 - share) * (third + share * worst * ((1 - 2 * share) * worst**2 - 3 * variance))
    n = units + 1
    with np.errstate(invalid="ignore", divide="ignore"):
        skewness = np.where(v > 0, k / v**1.5, 0.0) * np.sqrt(n * (n - 1)) / (n - 2)
    size = np.sqrt(v * n / (n - 1))
    n, skewness = n[..., None], skewness[..., None]
    freedom = n - 1 if free is None else free[..., None]
    student = stdtrit(freedom, 1 - levels) / np.sqrt(n)
    with np.errstate(invalid="ignore", divide="ignore"):
        by_hall = np.where(student > 0, _hall(skewness, student, n) / student, 1.0)
    widening = np.maximum(np.clip(by_hall, 1.0, MOST_SKEWED), _by_events(-skewness, n, levels))
    wider = shift[..., None] + size[..., None] * student * widening
    # Where the worst is no worse than the mean, one more of it would narrow the interval.
    plain = np.sqrt(variance / (units - 1))[..., None] * stdtrit(freedom - 1, 1 - levels)
    return np.maximum(wider, plain)


def _by_events(skewness: Floats, n: Floats, levels: Floats) -> Any:
    """How much wider than the normal law the gamma law is whose shape is the number of events.

    By Wilson and Hilferty's cube, which errs to the wide side by 2 % at a level of 0.001 and one
    event, and by less with more.
    """
    least = 1e-3  # of the skewness of the mean: there are a million events, and the laws are one
    root = 1 / np.clip(skewness / np.sqrt(n), least, 1.0)
    normal = -ndtri(levels)
    quantile = root**2 * (1 - 1 / (9 * root**2) + normal / (3 * root)) ** 3
    with np.errstate(invalid="ignore", divide="ignore"):
        wider = (quantile / root - root) / normal
    return np.where((skewness > 0) & np.isfinite(wider), np.maximum(wider, 1.0), 1.0)


def _hall(skewness: Floats, student: Floats, n: Floats) -> Floats:
    some = np.abs(skewness) > _SAME
    g = np.where(some, skewness, 1.0)
    bent = 3 / g * (np.cbrt(1 + g * (student - g / (6 * n))) - 1)
    return np.where(some, bent, student)
