"""One column of a span put beside the reference: what is asked, and how far apart they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from everfit.contracts.messages.statistics import ColumnStatistics
from everfit.ml.profiles.bins import from_bins
from everfit.steps.monitor.cells import (
    choose_categories,
    count_categories,
    few_values,
    join_neighbours,
    join_rare,
    number_counts,
    present,
    sum_groups,
)
from everfit.steps.monitor.contrasts import (
    EXACT,
    Question,
    ask,
    exact_square,
    parts_of_categories,
    parts_of_numbers,
)
from everfit.steps.monitor.dispersion import Spread, Timeline, past_spread, successive_spread
from everfit.steps.monitor.effect import Distance, in_deviations, jensen_shannon, wasserstein
from everfit.steps.monitor.reference import Reference

Array = np.ndarray[Any, np.dtype[Any]]

MISSING_SHARE = 0.2
"""Of a column's level, what goes to its missing values where it has both."""


class Asked(NamedTuple):
    """The answer to one question before the past of the other columns is known."""

    name: str
    share: float
    square: float
    """About chi-squared over independent rows without drift."""
    dims: int
    alone: float
    """P-value of independent rows."""
    spread: Spread
    """From comparisons as long apart as the current one."""
    successive: Spread
    """From each span and the one before it."""


class Side(NamedTuple):
    """Values of a column, or which of them are missing: the questions and the distance."""

    kind: str
    asked: tuple[Asked, ...]
    distance: Distance
    together: float = 1.0
    """Rows that say no more than one, by the differences of successive spans."""


def sides_of(
    reference: Reference, name: str, current: ColumnStatistics, together: float = 1.0
) -> tuple[Side, ...]:
    """What is asked of one column; nothing of timestamps, which always move.

    Parameters
    ----------
    reference : Reference
    name : str
    current : ColumnStatistics
    together : float
        Rows that say no more than one, for they depend on each other: cells are so large that
        enough *such* rows are expected in each.
    """
    known = reference.window.column(name)
    if known is None or "timestamp" in (known.type, current.type):
        return ()
    sides = []
    if present(known) and present(current):
        if name not in reference.numbers or few_values(known):
            sides.append(_categories(reference, known, current, together))
        else:
            sides.append(_numbers(reference, known, current, together))
    missing = _missing(reference, known, current, together)
    if missing is not None:
        sides.append(missing)
    if len(sides) == 2:
        shares = (1 - MISSING_SHARE, MISSING_SHARE)
        sides = [_at_share(side, share) for side, share in zip(sides, shares, strict=True)]
    return tuple(sides)


def _at_share(side: Side, share: float) -> Side:
    return side._replace(
        asked=tuple(asked._replace(share=asked.share * share) for asked in side.asked)
    )


def clustering(sides: Sequence[Sequence[Side]]) -> float:
    """Rows that say no more than one, as most columns have it: upper quartile over the sides.

    A rare value may never have come in a cluster yet, so that its own past tells nothing: the
    other columns' does.
    """
    found = [side.together for column in sides for side in column if side.asked]
    return max(1.0, float(np.quantile(found, 0.75))) if found else 1.0


def _numbers(
    reference: Reference, known: ColumnStatistics, current: ColumnStatistics, together: float
) -> Side:
    numbers = reference.numbers[known.name]
    counts = number_counts(current, numbers.edges)
    past = np.array(numbers.counts)
    old = past[np.array(reference.inside)].sum(axis=0)
    smaller = min(float(counts.sum()), float(old.sum()))
    first = join_neighbours(counts + old, smaller / together)
    groups = np.searchsorted(first, np.arange(len(counts)), side="right") - 1
    std = known.std if known.std is not None else np.inf
    cells = from_bins(current.bins) if current.bins else numbers.merged
    distance = wasserstein(numbers.merged, cells, std)
    return _side("number", reference, (counts, old, past), groups, distance, together)


def _categories(
    reference: Reference, known: ColumnStatistics, current: ColumnStatistics, together: float
) -> Side:
    names = choose_categories(known, current)
    counts = count_categories(current, names)
    spans = [span.column(known.name) for span in reference.history]
    alike = [
        column is not None and (column.type == "string") == (known.type == "string")
        for column in spans
    ]
    past = np.array(
        [
            count_categories(column, names)
            if column is not None and fits
            else np.zeros(len(counts))
            for column, fits in zip(spans, alike, strict=True)
        ]
    )
    old = past[np.array(reference.inside)].sum(axis=0)
    smaller = min(float(counts.sum()), float(old.sum()))
    groups = join_rare(counts + old, smaller)
    distance = in_deviations(jensen_shannon(sum_groups(old, groups), sum_groups(counts, groups)))
    groups = join_rare(counts + old, smaller / together)
    return _side("category", reference, (counts, old, past), groups, distance, together)


def _missing(
    reference: Reference, known: ColumnStatistics, current: ColumnStatistics, together: float
) -> Side | None:
    """Which values are missing, where any are."""
    counts, old = _missing_counts(current), _missing_counts(known)
    if not counts[0] + old[0]:
        return None
    past = np.array([_missing_counts(span.column(known.name)) for span in reference.history])
    distance = in_deviations(jensen_shannon(old, counts))
    return _side("missing", reference, (counts, old, past), np.arange(2), distance, together)


def _missing_counts(column: ColumnStatistics | None) -> Array:
    if column is None:
        return np.zeros(2)
    missing = column.nulls + column.nans
    return np.array([float(missing), float(column.rows - missing)])


def _side(
    kind: str,
    reference: Reference,
    counted: tuple[Array, Array, Array],
    groups: Array,
    distance: Distance,
    together: float,
) -> Side:
    new, old, past = (sum_groups(counts, groups) for counts in counted)
    held = new + old > 0
    new, old, past = new[held], old[held], past[:, held]
    n, m = float(new.sum()), float(old.sum())
    if len(new) < 2 or not n or not m:
        return Side(kind, (), distance)
    pooled = (new + old) / (n + m)
    rows = past.sum(axis=1)
    known = rows > 0
    timeline = Timeline(rows[known], np.array(reference.inside)[known])
    shares = past[known] / rows[known][:, None] - old / m
    moved = new / n - old / m
    if kind == "number":
        parts = parts_of_numbers(pooled)
    else:
        parts = parts_of_categories(kind, pooled, moved)
    effective = n * m / (n + m)
    exact = len(new) == 2 and pooled.min() * min(n, m) < EXACT * together
    from scipy.special import chdtrc

    asked = []
    for question in ask(parts, pooled, moved, shares):
        square = float(question.current @ question.current) * effective
        alone = float(chdtrc(question.dims, square))
        if exact:
            # So many rows count as one; their square is that of rows again.
            one = exact_square(*(round(value / together) for value in (new[0], n, old[0], m)))
            square, alone = one * together, float(chdtrc(1, one))
        asked.append(_asked(question, square, alone, timeline, effective))
    return Side(kind, tuple(asked), distance, _together(asked))


def _together(asked: Sequence[Asked]) -> float:
    """Rows that say no more than one, over all questions of a side."""
    known = [question for question in asked if question.successive.comparisons]
    dims = sum(question.dims for question in known)
    whole = sum(question.successive.variance * question.dims for question in known)
    return max(1.0, whole / dims) if dims else 1.0


def _asked(
    question: Question, square: float, alone: float, timeline: Timeline, effective: float
) -> Asked:
    asked = (question.past, question.current, question.dims, timeline, effective)
    return Asked(
        question.name,
        question.share,
        square,
        question.dims,
        alone,
        past_spread(*asked),
        successive_spread(*asked),
    )
