"""Which rows train and which judge: by span, or by a hash of who or what a row is.

Two equal rows are two observations. A row is left out only where something says that it is no
observation of its own: a newer version of the same key, an entity of the other side, or a champion
that was trained on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from everfit.data.tables.row_digests import Hashes, scatter

Places = np.ndarray[Any, np.dtype[np.int64]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]

SIDE_SALT = 0x686F6C646F7574
"""Makes the side of a row independent of every other use of its digest."""


@dataclass(frozen=True)
class Seen:
    """What the champion was trained on: nothing to judge it on."""

    rows: Hashes
    """Content digests."""
    entities: Hashes | None
    """None where no entity is declared, or where its table cannot tell."""
    keys: Hashes | None = None
    """None where no key is declared, or where its table cannot tell."""


@dataclass(frozen=True)
class RowFacts:
    """What is known of n rows.

    Attributes
    ----------
    rows : uint64 array of shape (n,)
        Content digests.
    keys : uint64 array of shape (n,) or None
        Digests of the columns that name a row, 0 where they are all missing; None without a key.
    entities : uint64 array of shape (n,) or None
    alike : uint64 array of shape (n,) or None
        Digests of what a model sees of each row; for a holdout that is a share of the rows.
    judged : bool array of shape (n,) or None
        Whether a row came from a holdout span; None for a holdout that is a share of the rows.
    known_span : bool array of shape (n,) or None
        Whether the champion was trained on the row's span.
    """

    rows: Hashes
    keys: Hashes | None = None
    entities: Hashes | None = None
    alike: Hashes | None = None
    judged: Mask | None = None
    known_span: Mask | None = None


@dataclass(frozen=True)
class Split:
    """Positions of rows on each side, ascending."""

    train: Places
    holdout: Places
    dropped: dict[str, int]


def held_out(keys: Hashes, fraction: float) -> Mask:
    """Which rows judge, by a hash of their key alone.

    A key's side does not depend on which other rows there are: appending rows moves none.

    Parameters
    ----------
    keys : uint64 array of shape (n,)
        Digest of a row's entity or key, or of what a model sees of it.
    fraction : float
        Share of keys that judge, in (0, 1).

    Returns
    -------
    bool array of shape (n,)
    """
    bound = np.uint64(min(int(fraction * 2.0**64), 2**64 - 1))
    chosen: Mask = scatter(keys, salt=SIDE_SALT) < bound
    return chosen


def split_rows(facts: RowFacts, fraction: float | None, seen: Seen | None = None) -> Split:
    """Divide the rows; nothing that names a row or an entity is on both sides.

    Parameters
    ----------
    facts : RowFacts
    fraction : float, optional
        Share of entities, of keys, or of rows that look alike, that judge; for a holdout that is a
        share of the rows.
    seen : Seen, optional
        Of the champion. Holdout rows it was trained on, and those about entities it was trained
        on, are left out, as nothing fair can be said by them; unless that leaves none, in which
        case all stay and the gate holds the candidate.

    Returns
    -------
    Split
        ``dropped`` counts ``entity_in_holdout`` rows of the window about the same entity;
        ``seen_by_champion`` and ``entity_seen_by_champion`` rows of the holdout.
    """
    dropped: dict[str, int] = {}
    if facts.judged is None:
        side = held_out(_divided_by(facts), fraction or 0.0)
        holdout = _unseen(np.flatnonzero(side), facts, seen, dropped)
        return Split(np.flatnonzero(~side), holdout, dropped)
    train = np.flatnonzero(~facts.judged)
    holdout = _unseen(np.flatnonzero(facts.judged), facts, seen, dropped)
    if facts.entities is not None:
        known = np.isin(facts.entities[train], facts.entities[holdout])
        dropped["entity_in_holdout"] = int(known.sum())
        train = train[~known]
    return Split(train, holdout, dropped)


def ordered(places: Places, rows: Hashes, times: Places | None) -> Places:
    """Sort positions by time, ties by digest; by digest alone where there is no time."""
    if times is None:
        return places[np.argsort(rows[places], kind="stable")]
    return places[np.lexsort((rows[places], times[places]))]


def _divided_by(facts: RowFacts) -> Hashes:
    """What keeps rows together: an entity, a key, or that a model could not tell them apart."""
    if facts.entities is not None:
        return facts.entities
    if facts.keys is not None:
        return np.where(facts.keys == 0, facts.rows, facts.keys)
    return facts.rows if facts.alike is None else facts.alike


def _unseen(holdout: Places, facts: RowFacts, seen: Seen | None, dropped: dict[str, int]) -> Places:
    """Those holdout rows that tell something of the champion."""
    if seen is None:
        return holdout
    row_seen = _rows_seen(facts, seen)[holdout]
    entity_seen = np.zeros(len(holdout), dtype=bool)
    if facts.entities is not None and seen.entities is not None:
        entity_seen = np.isin(facts.entities[holdout], seen.entities) & ~row_seen
    left = holdout[~(row_seen | entity_seen)]
    if not len(left):
        return holdout
    dropped["seen_by_champion"] = int(row_seen.sum())
    dropped["entity_seen_by_champion"] = int(entity_seen.sum())
    return left


def _rows_seen(facts: RowFacts, seen: Seen) -> Mask:
    """Rows the champion was trained on: by key, by span, or by content where rows are divided."""
    known = np.zeros(len(facts.rows), dtype=bool)
    if facts.known_span is not None:
        known |= facts.known_span
    if facts.keys is not None and seen.keys is not None:
        known |= np.isin(facts.keys, seen.keys) & (facts.keys != 0)
    elif facts.judged is None:
        # Rows that are equal in full are on one side for every champion of the same fraction.
        known |= np.isin(facts.rows, seen.rows)
    return known
