"""Sentences: how a column has moved, and how dependence was allowed for."""

from __future__ import annotations

from collections.abc import Sequence

from everfit.contracts.messages.statistics import QUANTILES, ColumnStatistics
from everfit.contracts.wording import percent, plain
from everfit.steps.monitor.cells import category_counts, outside, present
from everfit.steps.monitor.dispersion import SPANS, Spread

_MIDDLE = QUANTILES.index(0.5)
_LOW, _HIGH = QUANTILES.index(0.25), QUANTILES.index(0.75)


EXTRAPOLATES = 0.01
"""Share of values outside the trained range from which people are told."""


def how_it_moved(kind: str, reference: ColumnStatistics, current: ColumnStatistics) -> str:
    """A sentence on one column, such as ``median 9.5, was 7 (middle half 6 to 14, was 5 to 9)``."""
    moved = _moved(kind, reference, current)
    share = outside(reference, current)
    if kind == "missing" or share is None or share < EXTRAPOLATES:
        return moved
    known = "categories" if reference.type == "string" else "range"
    return f"{moved}; {percent(share)} of the values lie outside the {known} it was trained on"


def _moved(kind: str, reference: ColumnStatistics, current: ColumnStatistics) -> str:
    if kind == "missing":
        return (
            f"{percent(current.missing)} of the values are missing, "
            f"{percent(reference.missing)} in the reference{_instead(reference, current)}"
        )
    if kind == "category":
        return _mix(reference, current)
    old, new = reference.quantiles, current.quantiles
    if old is None or new is None:
        return "no values to compare"
    return (
        f"median {plain(new[_MIDDLE])}, was {plain(old[_MIDDLE])} (middle half "
        f"{plain(new[_LOW])} to {plain(new[_HIGH])}, was {plain(old[_LOW])} to "
        f"{plain(old[_HIGH])}); mean {_written(current.mean)}, was {_written(reference.mean)}"
    )


def _written(value: float | None) -> str:
    return "unknown" if value is None else plain(value)


def _instead(reference: ColumnStatistics, current: ColumnStatistics) -> str:
    """What an empty column is filled with, now that it is not empty."""
    if present(reference) or not present(current):
        return ""
    ranked = sorted(category_counts(current).items(), key=lambda item: -item[1])
    if not ranked:
        return ""
    name, count = ranked[0]
    return f"; {name} is the most frequent value ({percent(count / current.rows)} of the rows)"


def _mix(reference: ColumnStatistics, current: ColumnStatistics) -> str:
    old, new = category_counts(reference), category_counts(current)
    n, m = max(present(reference), 1), max(present(current), 1)
    names = sorted(old.keys() | new.keys())
    if not names:
        return "no categories to compare"
    moved = sorted(names, key=lambda k: (-abs(new.get(k, 0) / m - old.get(k, 0) / n), k))[:2]
    return "; ".join(
        f"{name!r} is {percent(new.get(name, 0) / m)} of the values, "
        f"was {percent(old.get(name, 0) / n)}"
        for name in moved
    )


def how_spans_differ(spreads: Sequence[Spread], spans: int) -> str:
    """How dependence in time was allowed for."""
    used = sorted(max(1.0, s.variance) for s in spreads if s.comparisons)
    if not used:
        return (
            f"Not assessed: {spans} span{'s are' if spans != 1 else ' is'} known, and {SPANS} are "
            "needed to tell how much spans differ without drift"
        )
    count = max(s.comparisons for s in spreads)
    return (
        f"Allowed for how much spans differ without drift, from up to {count} comparisons among "
        f"the {spans} spans known: squared differences are {plain(used[len(used) // 2])} times "
        f"those of independent rows (median over the tests; largest {plain(used[-1])}). "
        "A season that these spans do not hold would look like drift"
    )
