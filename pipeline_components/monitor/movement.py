"""Sentences: how a column has moved, and how dependence was allowed for."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline_components.contracts.statistics import QUANTILES, ColumnStatistics
from pipeline_components.monitor.cells import category_counts, present
from pipeline_components.monitor.dispersion import ENOUGH, Spread

_MIDDLE = QUANTILES.index(0.5)
_LOW, _HIGH = QUANTILES.index(0.25), QUANTILES.index(0.75)


def percent(share: float) -> str:
    """A share for people."""
    if 0 < share < 0.001:
        return "under 0.1 %"
    return f"{share:.1%}".replace(".0%", "%").replace("%", " %")


def how_it_moved(kind: str, reference: ColumnStatistics, current: ColumnStatistics) -> str:
    """A sentence on one column, such as ``median 9.5, was 7 (middle half 6 to 14, was 5 to 9)``."""
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
        f"median {new[_MIDDLE]:.4g}, was {old[_MIDDLE]:.4g} (middle half {new[_LOW]:.4g} to "
        f"{new[_HIGH]:.4g}, was {old[_LOW]:.4g} to {old[_HIGH]:.4g}); "
        f"mean {_written(current.mean)}, was {_written(reference.mean)}"
    )


def _written(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"


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
    used = sorted(max(1.0, s.variance) for s in spreads if s.comparisons >= ENOUGH)
    known = f"{spans} span{'s are' if spans != 1 else ' is'} known"
    if not used:
        return f"Rows were taken as independent: {known}, too few to tell how much spans differ"
    count = max(s.comparisons for s in spreads)
    return (
        f"Allowed for how much spans differ without drift, from up to {count} comparisons among "
        f"the {spans} spans known: squared differences are {used[len(used) // 2]:.3g} times those "
        f"of independent rows (median over the tests; largest {used[-1]:.3g})"
    )
