"""What a comparison can tell: the smallest gain it finds, and the rows that would find a smaller.

A gain is found where the lower end of its interval reaches what the gate asks for. The estimate of
the gain is taken as normal around the true one, with the standard error of the comparison.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from everfit.contracts.spec.gate import GateSpec

POWER = 0.8
"""How often a gain must be found for it to count as one that can be."""
REMEMBERED = 4
"""Comparisons that a forecast goes by: the widest of them, since each may be narrow by chance."""
MOST_ROWS = 1e12
_NORMAL = NormalDist()


def needed(gate: GateSpec, score: float, decayed: bool = False) -> float:
    """The gain that the interval must lie above, in the metric's unit.

    Parameters
    ----------
    gate : GateSpec
    score : float
        Of the baseline, which a relative margin is taken of.
    decayed : bool
        Whether the baseline is a champion that has surely decayed.
    """
    return gate.required_gain(score, decayed).least


def worth_finding(gate: GateSpec, score: float, decayed: bool = False) -> float:
    """The gain that the gate is to find: ``gate.effect``, or what stands for it.

    Without one: twice ``superior_by``; for ``not_worse_than`` none at all, an equal model.

    Parameters
    ----------
    gate, score, decayed
        As for ``needed``.
    """
    if gate.effect is not None:
        return gate.effect.of(score)
    asks = gate.asks(decayed)
    if asks.superior_by is None:
        return 0.0
    return 2 * asks.superior_by.of(score)


def half_width(error: float, alpha: float) -> float:
    """How far the lower end of an interval at a level lies below the estimate.

    Raises
    ------
    ValueError
        If ``alpha`` is not between 0 and 1.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"a level lies between 0 and 1, not at {alpha}")
    return -_NORMAL.inv_cdf(alpha) * error


def detectable(need: float, below: float, error: float) -> float:
    """The smallest true gain that is found with a power of 80 %.

    Parameters
    ----------
    need : float
        See ``needed``.
    below : float
        How far the interval's lower end lies below the estimate.
    error : float
        Standard error of the gain.

    References
    ----------
    .. [1] Cohen, "Statistical Power Analysis for the Behavioral Sciences", 2nd edition, 1988,
       section 2.2: the estimate must exceed ``need + below``, and does with a probability of
       0.8 where its mean is 0.8416 standard errors above that.
    """
    return need + below + _NORMAL.inv_cdf(POWER) * error


def chance(gain: float, need: float, below: float, error: float) -> float:
    """The probability of finding a true gain.

    Parameters
    ----------
    gain : float
        The true one.
    need : float
        See ``needed``.
    below : float
        Distance of the interval's lower end from the estimate.
    error : float
        Standard error of the gain.

    Examples
    --------
    A gain just at the edge is found half of the time:

    >>> chance(0.5, need=0.25, below=0.25, error=0.1)
    0.5
    """
    if error <= 0:
        return 1.0 if gain >= need + below else 0.0
    return _NORMAL.cdf((gain - need - below) / error)


def rows_to_detect(gain: float, need: float, below: float, error: float, rows: int) -> int | None:
    """Number of rows that would find a gain with a power of 80 %; None where none ever would.

    Both ``below`` and ``error`` shrink as one over the square root of the rows.

    Parameters
    ----------
    gain : float
        The true one.
    need, below, error : float
        As for ``chance``, at ``rows`` rows.
    rows : int
    """
    return rows_to_shrink(rows, detectable(0.0, below, error), gain - need)


def rows_to_shrink(rows: int, width: float, to: float) -> int | None:
    """Number of rows at which what shrinks as one over their square root has another width.

    Parameters
    ----------
    rows : int
    width : float
        At so many rows.
    to : float
        The width that is wanted.

    Returns
    -------
    int or None
        None where no number of rows there could ever be would suffice.

    Examples
    --------
    Half the width takes four times the rows:

    >>> rows_to_shrink(100, 0.5, 0.25)
    400
    """
    if not to > 0:
        return None
    total = rows * (width / to) * (width / to)
    return max(math.ceil(total), 1) if total < MOST_ROWS else None
