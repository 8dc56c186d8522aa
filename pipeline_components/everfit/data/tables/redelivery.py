"""Rows that were delivered before, told from rows that repeat by chance.

Two equal rows are two observations, so some rows of new data always equal earlier ones: in a table
of three categories nearly all of them, in one of measurements none. How many do so by chance is
what the pieces of the earlier data (its spans) show among each other. Where new data repeats the
earlier by more than that, a part of it was delivered before:

    covered = part + (1 - part) · by_chance

Each earlier piece is left out in turn. New rows are compared with the other pieces, and so are the
rows of the piece itself: both with the same amount of earlier data. Rows are counted, and distinct
contents, and the smaller of the two estimates counts: one content that became frequent is no
delivery.

References
----------
.. [1] I. J. Good, "The population frequencies of species and the estimation of population
   parameters", Biometrika 40, 1953: the chance that a new observation was seen before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from everfit.data.tables.row_digests import Hashes, Integers

MOST_PIECES = 8
LARGE_PART = 0.1
"""A part of at least so many rows is told, once it is sure."""
PER_CHANCE = 0.25
"""So much larger must the part be for each share of rows that repeats by chance: where many do, a
season in which the rows are more alike than before looks like a delivery."""
SURE = 3.0
"""Standard errors that the estimate must lie above all that."""
FEWEST = 10
"""Rows on either side below which nothing is told."""


@dataclass(frozen=True)
class Redelivery:
    """How much of new data was delivered before.

    Attributes
    ----------
    rows : int
        Of the new data.
    repeated : int
        Those whose content is in the earlier data.
    by_chance : float
        Share of rows of an earlier piece that are in the other pieces; 0 to 1.
    part : float
        Estimated share of the new rows that were delivered before; about 0 where none was.
    low : float
        ``SURE`` standard errors below that.
    """

    rows: int
    repeated: int
    by_chance: float
    part: float
    low: float

    @property
    def is_large(self) -> bool:
        """Whether surely a large part was delivered before."""
        return self.low > LARGE_PART + PER_CHANCE * self.by_chance


def pieces_of(span: Integers) -> Integers:
    """Deal earlier rows into pieces: their spans, at most ``MOST_PIECES``; the halves of one span.

    Parameters
    ----------
    span : int array of shape (n,)
        Number of each row's span, counted from 0 in the source's order.

    Returns
    -------
    int array of shape (n,)
    """
    numbers, span = np.unique(span, return_inverse=True)
    count = len(numbers)
    if count == 1:
        return np.asarray(np.arange(len(span)) * 2 // max(len(span), 1), dtype=np.int64)
    pieces = min(count, MOST_PIECES)
    return np.asarray(span * pieces // count, dtype=np.int64)


def redelivery(new: Hashes, earlier: Hashes, piece: Integers) -> Redelivery | None:
    """Estimate how much of new data was delivered before.

    Parameters
    ----------
    new : uint64 array of shape (n,)
        Digests of the new rows.
    earlier : uint64 array of shape (m,)
    piece : int array of shape (m,)
        Of the earlier rows, as ``pieces_of`` gives it.

    Returns
    -------
    Redelivery or None
        None where there are too few rows, or they are of one piece: nothing can be told.

    Examples
    --------
    >>> rows = np.arange(400, dtype=np.uint64)
    >>> fresh = redelivery(rows[300:], rows[:300], pieces_of(np.zeros(300, dtype=np.int64)))
    >>> again = redelivery(rows[200:300], rows[:300], pieces_of(np.zeros(300, dtype=np.int64)))
    >>> fresh.is_large, again.is_large, round(again.part, 2)
    (False, True, 1.0)
    """
    used = [number for number in range(MOST_PIECES) if (piece == number).any()]
    if len(used) < 2 or min(len(new), len(earlier)) < FEWEST:
        return None
    content, inverse = np.unique(earlier, return_inverse=True)
    held = np.zeros(len(content), dtype=np.uint16)
    for number in used:
        held[inverse[piece == number]] |= np.uint16(1 << number)
    distinct, back = np.unique(new, return_inverse=True)
    place = np.minimum(np.searchsorted(content, distinct), len(content) - 1)
    found = np.where(content[place] == distinct, held[place], np.uint16(0))
    by_rows, by_content = _Sum(), _Sum()
    for number in used:
        mine = np.uint16(1 << number)
        others = np.uint16(0xFFFF) ^ mine
        again, of_piece = found & others != 0, held & others != 0
        here = held & mine != 0
        counts = int(here.sum()), len(distinct)
        by_content.add(float(of_piece[here].mean()), float(again.mean()), *counts)
        rows = of_piece[inverse[piece == number]]
        by_rows.add(float(rows.mean()), float(again[back].mean()), *counts)
    least = min((by_rows, by_content), key=lambda one: one.low)
    return Redelivery(
        rows=len(new),
        repeated=int((found != 0)[back].sum()),
        by_chance=by_rows.chance / by_rows.count,
        part=min(by_rows.part, by_content.part),
        low=least.low,
    )


class _Sum:
    """The pieces' estimates, added up: what came from one piece is in all of them but its own."""

    def __init__(self) -> None:
        self.count, self.chance = 0, 0.0
        self._part, self._error = 0.0, 0.0

    def add(self, chance: float, covered: float, pieces: int, new: int) -> None:
        """Take in one piece left out: shares covered, and distinct contents behind each."""
        c = min(max(chance, 0.5 / pieces), 1 - 0.5 / pieces)
        r = min(max(covered, 0.5 / new), 1 - 0.5 / new)
        unseen = (1 - r) / (1 - c)
        self.count += 1
        self.chance += chance
        self._part += 1 - unseen
        self._error += float(
            np.sqrt(r * (1 - r) / new + unseen**2 * c * (1 - c) / pieces) / (1 - c)
        )

    @property
    def part(self) -> float:
        return self._part / (self.count - 1)

    @property
    def low(self) -> float:
        return (self._part - SURE * self._error) / (self.count - 1)


def occurring(new: Hashes, earlier: Hashes, values: int = 2_000) -> float:
    """About what share of a column's new values occurs among its earlier ones; missing ones apart.

    Only values with the smallest hashes are looked at, the same on both sides.
    """
    new, earlier = new[new != 0], earlier[earlier != 0]
    if not len(new) or not len(earlier):
        return 0.0
    bound = np.partition(new, min(values, len(new)) - 1)[min(values, len(new)) - 1]
    some, known = new[new <= bound], np.unique(earlier[earlier <= bound])
    return float(np.isin(some, known).mean())
