"""Features that give the target away, found on a sample of rows.

A feature leaks where it tells the target almost exactly by itself: it orders the rows as the target
does, is a linear copy of it, or is a code with one target value behind each of its few values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from everfit.contracts.wording import percent

Array = np.ndarray[Any, np.dtype[Any]]

TOLD = 0.9999
"""Share of the target that a leak tells: of its rank or linear correlation, or its variance."""

_ENOUGH = 30
_PER_CODE = 20


def find_leaks(target: Array, features: Mapping[str, Array]) -> dict[str, str]:
    """Features that tell the target, each with a sentence.

    Parameters
    ----------
    target : ndarray, shape (n,)
        float64 with NaN where missing; or, for texts, int64 codes with -1 where missing.
    features : mapping
        name → the same, shape (n,).

    Returns
    -------
    dict
        In the order of ``features``.
    """
    found = {}
    for name, values in features.items():
        reason = _leak(target, values)
        if reason:
            found[name] = reason
    return found


def _leak(target: Array, feature: Array) -> str | None:
    both = _present(target) & _present(feature)
    rows = int(both.sum())
    # Few rows agree by chance, and a feature that is mostly missing tells little.
    if rows < _ENOUGH or rows < _present(target).sum() / 2:
        return None
    target, feature = target[both], feature[both]
    codes, classes = _codes(target)
    if len(classes) < 2:
        return None
    if _numeric(target) and _numeric(feature):
        reason = _correlated(target, feature)
        if reason:
            return reason
    groups, values = _codes(feature)
    if len(values) < 2 or len(values) > rows / _PER_CODE:
        return None
    if _numeric(target) and len(classes) > rows / _PER_CODE:
        return _explained(target, groups, len(values))
    return _determined(codes, len(classes), groups, len(values))


def _correlated(target: Array, feature: Array) -> str | None:
    if np.array_equal(target, feature):
        return f"equal to the target in all {len(target):,} rows looked at"
    ranked = abs(_correlation(_ranks(target), _ranks(feature)))
    if ranked > TOLD:
        return f"orders {len(target):,} rows as the target does (rank correlation {ranked:.6f})"
    # A few enormous values make anything look linear; the ranks must nearly agree too.
    linear = abs(_correlation(target, feature))
    if linear > TOLD and ranked > 0.999:
        return f"a linear copy of the target (correlation {linear:.6f} over {len(target):,} rows)"
    return None


def _explained(target: Array, groups: Array, size: int) -> str | None:
    count = np.bincount(groups, minlength=size)
    centred = _scaled(target)
    mean = np.bincount(groups, weights=centred, minlength=size) / count
    total = float(np.sum(centred**2))
    within = float(np.sum((centred - mean[groups]) ** 2))
    if total > 0 and within / total < 1 - TOLD:
        return f"its {size} values leave {percent(within / total)} of the target's variance"
    return None


def _determined(codes: Array, classes: int, groups: Array, size: int) -> str | None:
    table = np.zeros((size, classes), dtype=np.int64)
    np.add.at(table, (groups, codes), 1)
    rows = int(table.sum())
    wrong = rows - int(table.max(axis=1).sum())
    blind = rows - int(table.sum(axis=0).max())
    if blind >= _PER_CODE / 2 and wrong <= (1 - TOLD) * blind:
        return f"each of its {size} values goes with one value of the target, in {rows:,} rows"
    return None


def _numeric(values: Array) -> bool:
    return values.dtype.kind == "f"


def _present(values: Array) -> Array:
    present: Array = np.isfinite(values) if _numeric(values) else values >= 0
    return present


def _codes(values: Array) -> tuple[Array, Array]:
    distinct, codes = np.unique(values, return_inverse=True)
    return codes, distinct


def _ranks(values: Array) -> Array:
    """Ranks, the mean rank where values are equal."""
    _, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Array = (last - (counts - 1) / 2)[codes]
    return ranks


def _correlation(one: Array, other: Array) -> float:
    one, other = _scaled(one), _scaled(other)
    length = float(np.sqrt(np.sum(one**2)) * np.sqrt(np.sum(other**2)))
    return float(np.sum(one * other)) / length if length > 0 else 0.0


def _scaled(values: Array) -> Array:
    """Centred, and of a size whose square does not overflow."""
    largest = float(np.max(np.abs(values)))
    values = values / largest if largest > 0 else values
    centred: Array = values - values.mean()
    return centred
