"""How far from a gain its true value may lie, at the small levels that single looks may spend.

Two thousand resamples cannot tell a chance of one in a thousand, and Student's t promises too much
where a few rows are far worse than the others: what the sample has not yet seen of them makes its
mean too good and its spread too small at once. Here each side is the wider of Student's t and of
Hall's correction for skewness, both computed as if there were one more unit, as bad as the worst
of those seen, and no side is ever narrower than Student's. Units in time order that resemble their
neighbours count as fewer. docs/gate.md has what was tried and how often each was wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit

from .resampling import Floats

LARGEST, SMALLEST, STEPS = 0.025, 1e-5, 36
LEVELS: tuple[float, ...] = tuple(
    LARGEST * (SMALLEST / LARGEST) ** (step / (STEPS - 1)) for step in range(STEPS)
)
"""One-sided levels at which bounds are published, falling; each 1.25 times the next."""
FEWEST_UNITS = 10
"""With fewer units there are no bounds."""
_SAME = 1e-9


@dataclass(frozen=True)
class Tails:
    """How far the truth may lie from an estimate.

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


def tails(parts: Floats, levels: Any, in_time: bool) -> Tails | None:
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

    Returns
    -------
    Tails or None
        None with fewer than ``FEWEST_UNITS`` units, or where a part is not finite.

    Notes
    -----
    With mean 0, variance ``v`` and skewness ``g`` of the ``n`` units and the one more, and
    ``y = t / sqrt(n)``, Student's distance is ``sqrt(v) y`` and Hall's ``sqrt(v)
    (3 / g) ((1 + g (y - g / (6 n)))^(1/3) - 1)``.

    References
    ----------
    .. [1] Hall, "On the Removal of Skewness by Transformation", J. Royal Statistical Society B
       54(1), 1992, section 2.
    .. [2] Johnson, "Modified t Tests and Confidence Intervals for Asymmetrical Populations",
       J. American Statistical Association 73, 1978: what left skewness does to Student's t.
    """
    parts = np.asarray(parts, dtype=np.float64)
    count = parts.shape[-1] if parts.ndim else 0
    if count < FEWEST_UNITS or not np.isfinite(parts).all():
        return None
    centred = parts - parts.mean(axis=-1, keepdims=True)
    scale = np.abs(centred).max(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore"):
        centred = np.where(scale > 0, centred / scale, 0.0)  # cubes of tiny numbers vanish
    square = centred * centred
    variance, third = square.mean(axis=-1), (square * centred).mean(axis=-1)
    units = independent(centred, variance) if in_time else np.full(variance.shape, float(count))
    wanted = np.asarray(levels, dtype=np.float64)
    sides = [
        _distance(variance, sign * third, (sign * centred).min(axis=-1), units, wanted)
        for sign in (1.0, -1.0)
    ]
    size = scale[..., 0]
    error = np.sqrt(variance * count / (count - 1) / units)
    return Tails(error * size, units, *(side * size[..., None] for side in sides))


def independent(centred: Floats, variance: Floats) -> Floats:
    """How many independent units so many dependent ones are worth.

    By the correlation of neighbours: a spell of likeness is taken to end in the next unit. Where
    neighbours are unlike each other, nothing is gained by it.

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


def _distance(variance: Floats, third: Floats, worst: Floats, units: Floats, levels: Floats) -> Any:
    """From the mean down to the lower bound, for every level."""
    share = 1 / (units + 1)  # of the one more unit
    shift = -worst * share
    v = (1 - share) * (variance + share * worst**2)
    k = (1 - share) * (third + share * worst * ((1 - 2 * share) * worst**2 - 3 * variance))
    n = units + 1
    with np.errstate(invalid="ignore", divide="ignore"):
        skewness = np.where(v > 0, k / v**1.5, 0.0) * np.sqrt(n * (n - 1)) / (n - 2)
    size = np.sqrt(v * n / (n - 1))
    n, skewness = n[..., None], skewness[..., None]
    student = stdtrit(n - 1, 1 - levels) / np.sqrt(n)
    wider = shift[..., None] + size[..., None] * np.maximum(student, _hall(skewness, student, n))
    # Where the worst is no worse than the mean, one more of it would narrow the interval.
    plain = np.sqrt(variance / (units - 1))[..., None] * stdtrit(n - 2, 1 - levels)
    return np.maximum(wider, plain)


def _hall(skewness: Floats, student: Floats, n: Floats) -> Floats:
    some = np.abs(skewness) > _SAME
    g = np.where(some, skewness, 1.0)
    bent = 3 / g * (np.cbrt(1 + g * (student - g / (6 * n))) - 1)
    return np.where(some, bent, student)
