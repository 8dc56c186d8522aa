"""One column of a span put beside the reference: what is asked, and how far apart they are."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pipeline_components.contracts.statistics import ColumnStatistics
from pipeline_components.monitor.cells import (
    choose_categories,
    count_categories,
    few_values,
    join_neighbours,
    join_rare,
    number_counts,
    present,
    sum_groups,
)
from pipeline_components.monitor.contrasts import (
    EXACT,
    Part,
    Question,
    ask,
    exact_square,
    parts_of_numbers,
)
from pipeline_components.monitor.dispersion import Spread, Timeline, past_spread
from pipeline_components.monitor.effect import Distance, jensen_shannon, wasserstein
from pipeline_components.monitor.reference import Reference
from pipeline_components.statistics.bins import from_bins

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
    spread: Spread


class Side(NamedTuple):
    """Values of a column, or which of them are missing: the questions and the distance."""

    kind: str
    asked: tuple[Asked, ...]
    distance: Distance


def sides_of(reference: Reference, name: str, current: ColumnStatistics) -> tuple[Side, ...]:
    """What is asked of one column; nothing of timestamps, which always move."""
    known = reference.window.column(name)
    if known is None or "timestamp" in (known.type, current.type):
        return ()
    sides = []
    if present(known) and present(current):
        if name not in reference.numbers or few_values(known):
            sides.append(_categories(reference, known, current))
        else:
            sides.append(_numbers(reference, known, current))
    missing = _missing(reference, known, current)
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


def _numbers(reference: Reference, known: ColumnStatistics, current: ColumnStatistics) -> Side:
    numbers = reference.numbers[known.name]
    counts = number_counts(current, numbers.edges)
    past = np.array(numbers.counts)
    old = past[np.array(reference.inside)].sum(axis=0)
    smaller = min(float(counts.sum()), float(old.sum()))
    first = join_neighbours(counts + old, smaller)
    groups = np.searchsorted(first, np.arange(len(counts)), side="right") - 1
    std = known.std if known.std is not None else np.inf
    cells = from_bins(current.bins) if current.bins else numbers.merged
    distance = wasserstein(numbers.merged, cells, std)
    return _side("number", reference, (counts, old, past), groups, distance)


def _categories(reference: Reference, known: ColumnStatistics, current: ColumnStatistics) -> Side:
    names = choose_categories(known, current)
    counts = count_categories(current, names)
    spans = [span.column(known.name) for span in reference.history]
    alike = [
        column is not None and (column.type == "string") == (known.type == "string")
        for column in spans
    ]
    past = np.array(
        [
            count_categories(column, names) if column is not None and fits
            else np.zeros(len(counts))
            for column, fits in zip(spans, alike, strict=True)
        ]
    )  # fmt: skip
    old = past[np.array(reference.inside)].sum(axis=0)
    smaller = min(float(counts.sum()), float(old.sum()))
    groups = join_rare(counts + old, smaller)
    distance = jensen_shannon(sum_groups(old, groups), sum_groups(counts, groups))
    return _side("category", reference, (counts, old, past), groups, distance)


def _missing(
    reference: Reference, known: ColumnStatistics, current: ColumnStatistics
) -> Side | None:
    """Which values are missing, where any are."""
    counts, old = _missing_counts(current), _missing_counts(known)
    if not counts[0] + old[0]:
        return None
    past = np.array([_missing_counts(span.column(known.name)) for span in reference.history])
    distance = jensen_shannon(old, counts)
    return _side("missing", reference, (counts, old, past), np.arange(2), distance)


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
    parts = parts_of_numbers(pooled) if kind == "number" else (Part(kind, 1.0, None),)
    effective = n * m / (n + m)
    exact = len(new) == 2 and pooled.min() * min(n, m) < EXACT
    asked = []
    for question in ask(parts, pooled, new / n - old / m, shares):
        square = float(question.current @ question.current) * effective
        if exact:
            square = exact_square(round(new[0]), round(n), round(old[0]), round(m))
        asked.append(_asked(question, square, timeline, effective))
    return Side(kind, tuple(asked), distance)


def _asked(question: Question, square: float, timeline: Timeline, effective: float) -> Asked:
    spread = past_spread(question.past, question.current, question.dims, timeline, effective)
    return Asked(question.name, question.share, square, question.dims, spread)
