"""Which rows train and which judge: by content, never by position, and proven disjoint.

Decided over three numbers a row: its digest, its entity and its span's side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline_components.table.row_digests import Hashes, scatter

Places = np.ndarray[Any, np.dtype[np.int64]]

SIDE_SALT = 0x686F6C646F7574
"""Makes the side of a row independent of every other use of its digest."""


@dataclass(frozen=True)
class Seen:
    """What the champion was trained on: nothing to judge it on."""

    rows: Hashes
    entities: Hashes | None
    """None where no entity is declared, or where its table cannot tell."""


@dataclass(frozen=True)
class Split:
    """Positions of rows on each side, in no particular order."""

    train: Places
    holdout: Places
    dropped: dict[str, int]


def held_out(keys: Hashes, fraction: float) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which rows judge, by a hash of their key alone.

    A key's side does not depend on which other rows there are: appending rows moves none.

    Parameters
    ----------
    keys : uint64 array of shape (n,)
        Digest of a row's entity, or of its content.
    fraction : float
        Share of keys that judge, in (0, 1).

    Returns
    -------
    bool array of shape (n,)
    """
    bound = np.uint64(min(int(fraction * 2.0**64), 2**64 - 1))
    chosen: np.ndarray[Any, np.dtype[np.bool_]] = scatter(keys, salt=SIDE_SALT) < bound
    return chosen


def split_rows(
    rows: Hashes,
    entities: Hashes | None,
    judged: np.ndarray[Any, np.dtype[np.bool_]] | None,
    fraction: float | None,
    seen: Seen | None = None,
) -> Split:
    """Divide the rows, without repetitions and without anything on both sides.

    Parameters
    ----------
    rows : uint64 array of shape (n,)
        Row digests.
    entities : uint64 array of shape (n,), optional
        Entity digests, where the spec declares an entity.
    judged : bool array of shape (n,), optional
        Whether a row came from a holdout span; None for a row-wise holdout.
    fraction : float, optional
        Share of entities, or of rows, that judge; for a row-wise holdout.
    seen : Seen, optional
        Of the champion. Holdout rows it was trained on, and those about entities it was trained
        on, are left out, as nothing fair can be said by them; unless that leaves none, in which
        case all stay and the gate holds the candidate.

    Returns
    -------
    Split
        ``dropped`` counts ``duplicate`` rows, ``in_holdout`` rows of the window whose content is
        also in the holdout, and ``entity_in_holdout`` rows of the window about the same entity;
        ``seen_by_champion`` and ``entity_seen_by_champion`` rows of the holdout.
    """
    dropped: dict[str, int] = {}
    if judged is None:
        first = _first_of_each(rows)
        dropped["duplicate"] = len(rows) - len(first)
        keys = rows if entities is None else entities
        side = held_out(keys[first], fraction or 0.0)
        return Split(first[~side], _unseen(first[side], rows, entities, seen, dropped), dropped)
    train, holdout = np.flatnonzero(~judged), np.flatnonzero(judged)
    unique_train, unique_holdout = (
        place[_first_of_each(rows[place])] for place in (train, holdout)
    )
    dropped["duplicate"] = len(rows) - len(unique_train) - len(unique_holdout)
    unique_holdout = _unseen(unique_holdout, rows, entities, seen, dropped)
    again = np.isin(rows[unique_train], rows[unique_holdout])
    dropped["in_holdout"] = int(again.sum())
    train = unique_train[~again]
    if entities is not None:
        known = np.isin(entities[train], entities[unique_holdout])
        dropped["entity_in_holdout"] = int(known.sum())
        train = train[~known]
    return Split(train, unique_holdout, dropped)


def ordered(places: Places, rows: Hashes, times: Places | None) -> Places:
    """Sort positions by time, ties by digest; by digest alone where there is no time."""
    if times is None:
        return places[np.argsort(rows[places], kind="stable")]
    return places[np.lexsort((rows[places], times[places]))]


def _unseen(
    holdout: Places,
    rows: Hashes,
    entities: Hashes | None,
    seen: Seen | None,
    dropped: dict[str, int],
) -> Places:
    """Those holdout rows that tell something of the champion."""
    if seen is None:
        return holdout
    row_seen = np.isin(rows[holdout], seen.rows)
    entity_seen = np.zeros(len(holdout), dtype=bool)
    if entities is not None and seen.entities is not None:
        entity_seen = np.isin(entities[holdout], seen.entities) & ~row_seen
    left = holdout[~(row_seen | entity_seen)]
    if not len(left):
        return holdout
    dropped["seen_by_champion"] = int(row_seen.sum())
    dropped["entity_seen_by_champion"] = int(entity_seen.sum())
    return left


def _first_of_each(values: Hashes) -> Places:
    """The first position of every distinct value, ascending."""
    _, first = np.unique(values, return_index=True)
    return np.sort(first).astype(np.int64)
