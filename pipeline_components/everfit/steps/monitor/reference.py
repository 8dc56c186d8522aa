"""What spans are compared with: the champion's window, and the spans before and since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from everfit.contracts.messages.statistics import ColumnStatistics, SpanStatistics
from everfit.ml.profiles.bins import Cells, from_bins
from everfit.ml.profiles.merge import merge_statistics
from everfit.steps.monitor.cells import few_values, number_counts, number_edges, present
from everfit.steps.monitor.units import unit_factor

Array = np.ndarray[Any, np.dtype[Any]]

REMEMBERED = 150
"""Spans of the past that are looked at, the newest."""


@dataclass(frozen=True)
class NumberCells:
    """A column of numbers, counted in one set of cells in every span known."""

    merged: Cells
    edges: Array
    counts: tuple[Array, ...]
    """One for each span of the history; of zeros where the span has no such numbers."""


@dataclass(frozen=True)
class Reference:
    """A prepared reference: compare as many spans with it as there are."""

    window: SpanStatistics
    """The champion's spans together."""
    history: tuple[SpanStatistics, ...]
    """Every span known, oldest first, the reference's among them."""
    inside: tuple[bool, ...]
    """Whether each span of the history is one of the reference's."""
    columns: tuple[str, ...]
    """To be compared."""
    numbers: dict[str, NumberCells] = field(default_factory=dict)

    @property
    def before(self) -> tuple[SpanStatistics, ...]:
        """Spans up to the newest one of the reference: what the champion may take as normal."""
        last = max(index for index, inside in enumerate(self.inside) if inside)
        return self.history[: last + 1]

    def and_then(self, span: SpanStatistics) -> Reference:
        """The same reference, one span later: it is part of the past of those to come."""
        if not span.rows or any(span.digest == known.digest for known in self.history):
            return self
        numbers = {
            name: replace(
                known,
                counts=(*known.counts, _counts_since(self.window, span, name, known.edges)),
            )
            for name, known in self.numbers.items()
        }
        return replace(
            self, history=(*self.history, span), inside=(*self.inside, False), numbers=numbers
        )

    def without(self, digest: str) -> Reference:
        """The same, without a span of the past that is to be compared itself."""
        known = zip(self.history, self.inside, strict=True)
        keep = [inside or span.digest != digest for span, inside in known]
        if all(keep):
            return self
        kept = [index for index, keeps in enumerate(keep) if keeps]
        return replace(
            self,
            history=tuple(self.history[index] for index in kept),
            inside=tuple(self.inside[index] for index in kept),
            numbers={
                name: replace(column, counts=tuple(column.counts[index] for index in kept))
                for name, column in self.numbers.items()
            },
        )


def prepare_reference(
    reference: Sequence[SpanStatistics], past: Sequence[SpanStatistics], columns: Sequence[str]
) -> Reference:
    """Merge the champion's spans and count the past in the same cells.

    Parameters
    ----------
    reference : sequence of SpanStatistics
        The champion's training spans, oldest first; at least one with rows.
    past : sequence of SpanStatistics
        Spans older than those to be compared, oldest first; those of the reference may be among
        them, and go before them if not.
    columns : sequence of str
        To be compared.

    Raises
    ------
    ValueError
        If no span of the reference has rows.
    """
    window = [span for span in reference if span.rows]
    digests = {span.digest for span in window}
    if not window:
        raise ValueError("a reference has at least one span with rows")
    known = {span.digest for span in past}
    history = [span for span in window if span.digest not in known]
    history += [span for span in past if span.rows]
    first = min(i for i, span in enumerate(history) if span.digest in digests)
    history = history[min(first, max(0, len(history) - REMEMBERED)) :]
    last = max(i for i, span in enumerate(history) if span.digest in digests)
    merged = merge_statistics(window)
    numbers = {}
    for name in columns:
        column = merged.column(name)
        if column is not None and _is_number(column):
            cells = from_bins(column.bins) if column.bins else Cells(*[np.empty(0)] * 3)
            edges = number_edges(cells)
            counts = tuple(
                _counts(span.column(name), edges)
                if index <= last
                else _counts_since(merged, span, name, edges)
                for index, span in enumerate(history)
            )
            numbers[name] = NumberCells(cells, edges, counts)
    inside = tuple(span.digest in digests for span in history)
    return Reference(merged, tuple(history), inside, tuple(columns), numbers)


def _is_number(column: ColumnStatistics) -> bool:
    return (
        column.type not in ("string", "timestamp")
        and present(column) > 0
        and not few_values(column)
    )


def _counts(column: ColumnStatistics | None, edges: Array) -> Array:
    if column is None or column.type in ("string", "timestamp"):
        return np.zeros(len(edges) + 1)
    return number_counts(column, edges)


def _counts_since(window: SpanStatistics, span: SpanStatistics, name: str, edges: Array) -> Array:
    """Counts of a span newer than the reference: none where its values are in another unit."""
    old, new = window.column(name), span.column(name)
    if old is not None and new is not None and unit_factor(old, new) is not None:
        return np.zeros(len(edges) + 1)
    return _counts(new, edges)
