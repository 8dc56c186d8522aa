"""Questions before any statistic: is there a table, and are these its columns and units.

An error means that the champion's predictions on the span mean nothing, whatever their
distribution: the span is broken. A warning is for people; so is all that is wrong with a column
which the champion does not read. What the pipeline's own spans did before the champion was trained
is no error: a column whose values always grow, or whose unit has changed from span to span, is not
held to bounds, and values that chance had left unseen are no new ones.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np

from everfit.contracts.messages.monitoring import HardCheck
from everfit.contracts.messages.statistics import QUANTILES, ColumnStatistics, SpanStatistics
from everfit.contracts.spec.monitor import MonitorSpec
from everfit.contracts.wording import interval, percent, plain
from everfit.ml.profiles.bins import from_bins, rank
from everfit.steps.monitor.cells import category_counts, few_values, present, unseen
from everfit.steps.monitor.reference import Reference
from everfit.steps.monitor.units import unit_factor

INFINITE = 0.01
"""Share of infinite values from which a column is broken."""

EMPTY = 0.95
"""A column with more missing values than this in the reference may be empty."""

MOSTLY, SOME = 0.5, 0.01
"""Shares of values outside the domain that make an error, and a warning."""

RUNNING = 3
"""Spans from which values that go one way are a running number."""

_LISTED = 3
_LEAST, _MOST = QUANTILES.index(0.05), QUANTILES.index(0.95)


def hard_checks(
    reference: Reference, current: SpanStatistics, spec: MonitorSpec
) -> tuple[HardCheck, ...]:
    """The checks that failed, errors first.

    Parameters
    ----------
    reference : Reference
    current : SpanStatistics
    spec : MonitorSpec
    """
    if not current.rows:
        return (_check("DRIFT-EMPTY", None, "The span has no rows"),)
    found: list[HardCheck] = []
    if current.rows < spec.min_rows:
        text = f"The span has {current.rows} rows, fewer than the {spec.min_rows} to be compared"
        found.append(_check("DRIFT-FEW-ROWS", None, text, "warning"))
    found += _columns_there(reference, current)
    for name in reference.columns:
        old, new = reference.window.column(name), current.column(name)
        if old is None or new is None:
            continue
        before = [c for span in reference.before if (c := span.column(name)) is not None]
        known = [c for span in reference.history if (c := span.column(name)) is not None]
        for check in (_type, _values_there, _infinite, _not_a_number):
            found += check(old, new)
        if not any(f.column == name and f.severity == "error" for f in found):
            found += _values(old, new, before, known, current.rows >= spec.min_rows)
    found.sort(key=lambda check: check.severity != "error")
    return tuple(found)


def for_people(check: HardCheck, reads: Collection[str] | None) -> HardCheck:
    """The check, a warning where the champion does not read the column; it reads all if None."""
    if check.severity != "error" or check.column is None or reads is None or check.column in reads:
        return check
    told = f"{check.message} (the champion does not read it)"
    return check.model_copy(update={"severity": "warning", "message": told})


def _check(code: str, column: str | None, message: str, severity: str = "error") -> HardCheck:
    return HardCheck.model_validate(
        {"code": code, "column": column, "message": message, "severity": severity}
    )


def _columns_there(reference: Reference, current: SpanStatistics) -> Iterable[HardCheck]:
    here = {column.name for column in current.columns}
    for name in reference.columns:
        if name not in here and reference.window.column(name) is not None:
            yield _check("DRIFT-MISSING-COLUMN", name, f"The column {name!r} is not there")
    known = {column.name for span in reference.history for column in span.columns}
    new = [column.name for column in current.columns if column.name not in known]
    for name in new:
        text = f"The column {name!r} is new: no earlier span has it"
        yield _check("DRIFT-NEW-COLUMN", name, text, "warning")


_BROAD = {"integer": "number", "float": "number", "boolean": "number"}


def _type(old: ColumnStatistics, new: ColumnStatistics) -> Iterable[HardCheck]:
    if old.all_missing or new.all_missing:
        return
    if _BROAD.get(old.type, old.type) != _BROAD.get(new.type, new.type):
        text = f"The column {new.name!r} holds {new.type} values, {old.type} in the reference"
        yield _check("DRIFT-TYPE", new.name, text)


def _values_there(old: ColumnStatistics, new: ColumnStatistics) -> Iterable[HardCheck]:
    if new.all_missing and old.missing < EMPTY:
        text = (
            f"The column {new.name!r} is empty: all {new.rows} values are missing, "
            f"{percent(old.missing)} in the reference"
        )
        yield _check("DRIFT-ALL-MISSING", new.name, text)


def _infinite(old: ColumnStatistics, new: ColumnStatistics) -> Iterable[HardCheck]:
    share, usual = new.infinities / new.rows, old.infinities / max(old.rows, 1)
    if not share or share <= 2 * usual:
        return
    text = (
        f"{new.infinities} of {new.rows} values of {new.name!r} ({percent(share)}) are infinite, "
        f"{percent(usual)} in the reference"
    )
    broken = share - usual >= INFINITE
    yield _check("DRIFT-INFINITE", new.name, text, "error" if broken else "warning")


def _not_a_number(old: ColumnStatistics, new: ColumnStatistics) -> Iterable[HardCheck]:
    share, usual = new.nans / new.rows, old.nans / max(old.rows, 1)
    if share - usual < INFINITE or old.missing >= new.missing:
        return
    text = (
        f"{new.nans} of {new.rows} values of {new.name!r} ({percent(share)}) are not a number, "
        f"{percent(usual)} in the reference"
    )
    yield _check("DRIFT-NAN", new.name, text, "warning")


def _values(
    old: ColumnStatistics,
    new: ColumnStatistics,
    before: Sequence[ColumnStatistics],
    known: Sequence[ColumnStatistics],
    many: bool,
) -> list[HardCheck]:
    """Unit and domain, unless the spans before would have failed the same question."""
    if not many or old.type == "timestamp" or not present(old) or not present(new):
        return []
    if old.type == "string":
        return _categories(old, new, before)
    factor = unit_factor(old, new)
    if factor is not None and not _ever(before, lambda a, b: unit_factor(a, b) is not None):
        times = plain(max(factor, 1 / factor))
        way = f"{times} times as large" if factor > 1 else f"{times} times smaller"
        text = f"All quantiles of {new.name!r} are {way} than in the reference: is it another unit?"
        return [_check("DRIFT-UNIT", new.name, text)]
    return [] if _runs_on([*known, new]) else _bounds(new, before)


def _runs_on(columns: Sequence[ColumnStatistics]) -> bool:
    """Whether values go one way from span to span, as a running number or a date does."""
    held = [c.quantiles for c in columns if c.quantiles is not None]
    if len(held) < RUNNING:
        return False
    up = all(b[_LEAST] >= a[_MOST] for a, b in pairwise(held))
    return up or all(b[_MOST] <= a[_LEAST] for a, b in pairwise(held))


def _ever(
    before: Sequence[ColumnStatistics], fails: Callable[[ColumnStatistics, ColumnStatistics], bool]
) -> bool:
    held = [column for column in before if present(column)]
    return any(fails(a, b) for a, b in pairwise(held))


def _bounds(new: ColumnStatistics, before: Sequence[ColumnStatistics]) -> list[HardCheck]:
    """Values further outside all earlier ones than those lay apart; a few values bound nothing."""
    if all(few_values(column) for column in before if present(column)):
        return []
    share = _outside(before, new)
    if share < SOME:
        return []
    earlier = [column for column in before if present(column)]
    stable = all(_outside(earlier[:i], earlier[i]) < SOME for i in range(1, len(earlier)))
    if not stable:
        return []
    low, high = _span_of(earlier)
    text = (
        f"{percent(share)} of the values of {new.name!r} lie far outside {interval(low, high)}, "
        "where all earlier ones are"
    )
    return [_check("DRIFT-DOMAIN", new.name, text, "error" if share >= MOSTLY else "warning")]


def _span_of(columns: Sequence[ColumnStatistics]) -> tuple[float, float]:
    known = [(c.min, c.max) for c in columns if c.min is not None and c.max is not None]
    return min(low for low, _ in known), max(high for _, high in known)


def _outside(before: Sequence[ColumnStatistics], new: ColumnStatistics) -> float:
    """Share of values beyond the earlier ones by more than their whole width."""
    held = [column for column in before if column.min is not None]
    if not held or new.bins is None or not new.bins.count:
        return 0.0
    low, high = _span_of(held)
    width = (high - low) or max(abs(low), abs(high), 1.0)
    cells = from_bins(new.bins)
    ends = np.array([math.nextafter(low - width, -math.inf), high + width])
    below, upto = rank(cells, ends)
    total = float(cells.mass.sum())
    return float(below + total - upto) / total


def _categories(
    old: ColumnStatistics, new: ColumnStatistics, before: Sequence[ColumnStatistics]
) -> list[HardCheck]:
    if not old.categories_complete or any(not c.categories_complete for c in before if present(c)):
        return []
    known: Counter[str] = Counter()
    for column in before:
        known.update(category_counts(column))
    share = unseen(new, known)
    by_chance = _left_unseen(before, known, present(new))
    if share - by_chance < SOME:
        return []
    if _ever(before, lambda a, b: unseen(b, category_counts(a)) >= MOSTLY):
        return []
    # Of the values that should have been known, so many are not.
    strange = (share - by_chance) / (1 - by_chance)
    names = [name for name in category_counts(new) if name not in known]
    text = (
        f"{percent(share)} of the values of {new.name!r} were never seen before: "
        + ", ".join(repr(name) for name in names[:_LISTED])
        + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
    )
    if by_chance >= SOME:
        text += f"; chance leaves up to {percent(by_chance)} unseen"
    return [_check("DRIFT-UNSEEN", new.name, text, "error" if strange >= MOSTLY else "warning")]


def _left_unseen(
    before: Sequence[ColumnStatistics], known: Mapping[str, float], values: int
) -> float:
    """Share of the new values that may be unseen so far though nothing has changed.

    The share of values that were seen once so far is what is left of the unseen [1]_, with its own
    chance and that of the new values (99.9 %); and no less than an earlier span had of values
    that none of the others had.

    References
    ----------
    .. [1] Good, I. J. (1953). The population frequencies of species and the estimation of
       population parameters. Biometrika 40, 237-264; the variance is Esty's (1983).
    """
    total = sum(known.values())
    if not total or not values:
        return 0.0
    once = sum(count == 1 for count in known.values())
    twice = sum(count == 2 for count in known.values())
    share = once / total
    deviation = math.sqrt(
        (share * (1 - share) + 2 * twice / total) / total + share * (1 - share) / values
    )
    estimate = min(1.0, share + 3.1 * deviation + 3.1 / total) if once else 0.0
    earlier = [category_counts(column) for column in before if present(column)]
    for own in earlier if len(earlier) > 1 else []:
        alone = sum(count for text, count in own.items() if known[text] <= count)
        estimate = max(estimate, alone / max(sum(own.values()), 1.0))
    return min(estimate, 0.999)
