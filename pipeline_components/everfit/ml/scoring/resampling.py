"""Resampling by units that are independent: blocks of time, entities or rows.

Rows of one time block or of one entity resemble each other, so an interval that treats them as
independent is too narrow. Here they are drawn together. A holdout is dealt into at most a few
hundred *units*; a resample is then a short vector of counts, and every metric of every model is
computed from the same counts, which makes differences between models paired.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Kind = Literal["time blocks", "entities", "rows"]

TIME_BLOCKS = 100
"""At most so many blocks: dependence up to a hundredth of the holdout is respected."""
BLOCK_ROWS = 20
"""At least so many rows a block, as long as that leaves ``FEWEST_BLOCKS``."""
FEWEST_BLOCKS = 20
UNITS = 500
"""At most so many units of entities or rows; more are dealt at random into so many groups."""
RESAMPLES = 2_000


@dataclass(frozen=True)
class Design:
    """The dependence of a holdout's rows on each other.

    Parameters
    ----------
    rows : int
        Number of rows, ``n``; in time order where ``ordered``.
    ordered : bool
        Whether the pipeline declares a time column.
    entity : (n,) int array, optional
        Entity of each row; negative where unknown, and such a row stands for itself.
    seed : int
    kind : str, optional
        What is drawn; needed only where both time and entity are declared (``chosen``).
    weight : (n,) float array, optional
        How much each row counts; without it all count the same.
    """

    rows: int
    ordered: bool
    entity: Integers | None
    seed: int
    kind: Kind | None = None
    weight: Floats | None = None

    def chosen(self, difference: Floats | None) -> Design:
        """The design with the kind of unit that is drawn.

        Where time and entity are both declared: whichever makes the mean of ``difference`` (n,),
        the row losses of candidate and baseline subtracted, vary more. Without one, entities.
        """
        if self.entity is None:
            return replace(self, kind="time blocks" if self.ordered else "rows")
        if not self.ordered or difference is None or not np.isfinite(difference).all():
            return replace(self, kind="entities")
        if self.weight is not None:
            centre = float((self.weight @ difference) / self.weight.sum())
            difference = self.weight * (difference - centre)
        blocks, entities = time_blocks(self.rows), dealt(self.entity, self.seed)
        by_block, by_entity = (clustered_variance(difference, u) for u in (blocks, entities))
        return replace(self, kind="time blocks" if by_block > by_entity else "entities")

    def part(self, mask: NDArray[np.bool_]) -> Design:
        """The design of a subset of rows."""
        entity = None if self.entity is None else self.entity[mask]
        weight = None if self.weight is None else self.weight[mask]
        return replace(self, rows=int(mask.sum()), entity=entity, weight=weight)


@dataclass(frozen=True)
class Resampling:
    """Units and draws.

    Attributes
    ----------
    unit : (n,) int array
        Unit of each row, ``0 … units - 1``.
    units : int
    counts : (R, units) float64 array
        How often each unit is in each resample; rows sum to ``units``.
    method : str
        A phrase for people.
    in_time : bool
        Whether units lie in time order, so that neighbours may resemble each other.
    weight : (units,) float64 array or None
        Sum of the weights of each unit's rows; None: rows are not weighted.
    """

    unit: Integers
    units: int
    counts: Floats
    method: str
    in_time: bool = False
    weight: Floats | None = None

    @property
    def worth(self) -> float:
        """Units of equal weight that all of them are worth."""
        return self.units if self.weight is None else float(effective(self.weight))

    def interval(self, replicates: Floats, confidence: float) -> tuple[float, float]:
        """Two-sided interval of what was computed on each resample, as ``interval`` gives it.

        Parameters
        ----------
        replicates : (R,) float array
        confidence : float
        """
        return interval(replicates, self.worth, confidence)


def resample(design: Design, confidence: float) -> Resampling:
    """Deal the rows into units and draw units with replacement.

    Parameters
    ----------
    design : Design
        With its ``kind`` chosen.
    confidence : float
        Of the intervals to come; beyond 0.98 more resamples are drawn.
    """
    if design.kind == "time blocks":
        unit = time_blocks(design.rows)
        drawn = "time blocks"
    else:
        members = np.arange(design.rows) if design.kind == "rows" else design.entity
        assert members is not None  # "entities" is only chosen where there are some
        unit = dealt(members, design.seed)
        drawn = design.kind or "rows"
    units = int(unit.max()) + 1 if unit.size else 0
    draws = int(min(max(RESAMPLES, 40 / (1 - confidence)), 10 * RESAMPLES))
    method = f"expanded percentile bootstrap, {draws:,} resamples of {units:,} {drawn}"
    if drawn != "time blocks" and units == UNITS < design.rows:
        method = method.replace(drawn, f"random groups of {drawn}")
    counts = _counts(units, draws, design.seed)
    weight = None
    if design.weight is not None:
        weight = totals(design.weight, unit, units)
        method += f" (weighted: worth {float(effective(weight)):,.0f})"
    return Resampling(unit, units, counts, method, drawn == "time blocks", weight)


def effective(weight: Any) -> Any:
    """How many of equal weight samples of unequal weights are worth.

    Parameters
    ----------
    weight : (..., n) array
        At least 0.

    Returns
    -------
    (...) float array
        0 where all weights are 0.

    References
    ----------
    .. [1] Kish, "Survey Sampling", 1965, section 11.7: a mean of rows that are alike varies as
       that of so many rows of equal weight.

    Examples
    --------
    >>> effective([[2.0, 2.0, 2.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    array([3., 1., 0.])
    """
    weight = np.asarray(weight, dtype=np.float64)
    largest = weight.max(axis=-1, initial=0.0, keepdims=True)
    with np.errstate(invalid="ignore"):  # their squares neither overflow nor vanish
        shares = np.where(largest > 0, weight / largest, 0.0)
        worth = shares.sum(axis=-1) ** 2 / (shares**2).sum(axis=-1)
    return np.where(largest[..., 0] > 0, worth, 0.0)


def time_blocks(rows: int) -> Integers:
    """Blocks of consecutive rows, equal in size to within one. Shape (rows,)."""
    blocks = int(np.clip(rows // BLOCK_ROWS, min(rows, FEWEST_BLOCKS), TIME_BLOCKS))
    return np.arange(rows, dtype=np.int64) * blocks // max(rows, 1)


def dealt(members: Integers, seed: int) -> Integers:
    """Units that keep each member's rows in one; dealt at random where there are too many members.

    Members are numbered as they first appear, so the names of entities do not matter. A negative
    member is unknown: its row stands for itself.
    """
    unknown = members < 0
    if unknown.any():
        start = int(members.max(initial=0)) + 1
        members = members.copy()
        members[unknown] = start + np.arange(int(unknown.sum()))
    _, first, inverse = np.unique(members, return_index=True, return_inverse=True)
    order = np.empty(first.size, dtype=np.int64)
    order[np.argsort(first, kind="stable")] = np.arange(first.size)
    if first.size > UNITS:
        shuffled = np.random.default_rng([seed, 1]).permutation(first.size)
        order = shuffled[order] % UNITS
    return order[inverse]


def entity_codes(frame: pd.DataFrame, entity: Sequence[str]) -> Integers | None:
    """One number per entity, -1 where all its columns are missing; None without entity columns."""
    if not entity:
        return None
    keys = frame[list(entity)]
    numbers = keys.groupby(list(entity), sort=False, dropna=False).ngroup().to_numpy(np.int64)
    return np.where(keys.isna().all(axis=1).to_numpy(), -1, numbers)


def totals(values: Any, unit: Integers, units: int) -> Floats:
    """Sum of values in each unit.

    Parameters
    ----------
    values : (n,) array
    unit : (n,) int array
        Unit of each value, ``0 … units - 1``.
    units : int

    Returns
    -------
    (units,) float64 array

    Examples
    --------
    >>> totals([1.0, 2.0, 4.0], np.array([0, 2, 2]), 3)
    array([1., 0., 6.])
    """
    return np.asarray(np.bincount(unit, values, units), dtype=np.float64)


def clustered_variance(values: Floats, unit: Integers) -> float:
    """Variance of the mean of ``values`` when units, not rows, are independent.

    References
    ----------
    .. [1] Cameron, Miller, "A Practitioner's Guide to Cluster-Robust Inference", J. Human
       Resources 50(2), 2015, equation 11 with an intercept alone.
    """
    sums = totals(values - values.mean(), unit, int(unit.max(initial=-1)) + 1)
    if sums.size < 2:
        return 0.0
    return float((sums**2).sum() * sums.size / (sums.size - 1) / values.size**2)


def interval(replicates: Floats, units: float, confidence: float) -> tuple[float, float]:
    """Two-sided expanded percentile interval.

    A plain percentile interval of few units is too narrow; its tail is moved out as Student's t
    and the factor ``sqrt(units / (units - 1))`` ask. A replicate that could not be scored counts
    as far below *and* far above, so what is undefined widens the interval.

    Parameters
    ----------
    replicates : (R,) float array
    units : float
        Drawn in each replicate; as many of equal weight as they are worth.
    confidence : float

    Returns
    -------
    low, high : float
        Infinite where too many replicates could not be scored; NaN with fewer than two units.

    References
    ----------
    .. [1] Hesterberg, "What Teachers Should Know About the Bootstrap", The American Statistician
       69(4), 2015, section 5.3.
    """
    if units < 2:
        return float("nan"), float("nan")
    widened: Any = np.sqrt(units / (units - 1)) * stdtrit(units - 1, (1 - confidence) / 2)
    tail = float(ndtr(widened))
    fine = np.isfinite(replicates)
    below = np.sort(np.where(fine, replicates, -np.inf))
    above = np.sort(np.where(fine, replicates, np.inf))
    last = replicates.size - 1
    return float(below[int(np.floor(tail * last))]), float(above[int(np.ceil((1 - tail) * last))])


def _counts(units: int, draws: int, seed: int) -> Floats:
    if not units:
        return np.zeros((draws, 0))
    picks = np.random.default_rng([seed, 2]).integers(units, size=(draws, units))
    picks += np.arange(draws)[:, None] * units
    counts = np.bincount(picks.ravel(), minlength=draws * units)
    return counts.reshape(draws, units).astype(np.float64)
