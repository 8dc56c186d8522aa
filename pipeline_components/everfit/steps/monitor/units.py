"""Whether a column of numbers has come in another unit."""

from __future__ import annotations

import math

from everfit.contracts.messages.statistics import ColumnStatistics

UNIT = 20.0
"""Values so many times as large, all alike, are in another unit."""

ALIKE = 2.0
"""Factors of different quantiles differ by at most this where a unit has changed."""


def unit_factor(old: ColumnStatistics, new: ColumnStatistics) -> float | None:
    """By which factor all quantiles differ, where it is large and the same for all; else None."""
    if old.quantiles is None or new.quantiles is None:
        return None
    # 5 %, 25 %, 50 %, 75 % and 95 %: those near zero say nothing of a factor.
    one, other = old.quantiles[1:6], new.quantiles[1:6]
    size = max(abs(value) for value in one)
    ratios = [b / a for a, b in zip(one, other, strict=True) if abs(a) > 0.1 * size]
    spread, now = one[3] - one[1], other[3] - other[1]
    if spread > 0:
        ratios.append(now / spread)
    if size == 0 or not ratios or min(ratios) <= 0 or max(ratios) > ALIKE * min(ratios):
        return None
    factor = math.exp(sum(map(math.log, ratios)) / len(ratios))
    return factor if not 1 / UNIT < factor < UNIT else None
