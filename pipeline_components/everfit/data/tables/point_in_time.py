"""The newest row of a table for each row of another, by key, and none that is later."""

from __future__ import annotations

from typing import Any

import numpy as np

from everfit.data.tables.row_digests import Hashes, Integers

CHUNK = 1_048_576
"""Keys of a table looked up at a time."""

NEVER = np.iinfo(np.int64).min
"""The time of a row that has none: nothing is known as of it."""


class NewestMatches:
    """Finds them part by part of the table; memory holds one match a row.

    Parameters
    ----------
    keys : uint64 array of shape (n,)
        Digest of each row's key; 0: it has none.
    until : int64 array of shape (n,), optional
        The latest time at which a row of the table counts; default any.

    Attributes
    ----------
    at : int64 array of shape (n,)
        Row of the table, counted over all parts; -1: none.
    times : int64 array of shape (n,)
        Of these rows.
    known : bool array of shape (n,)
        Whether the table has the key at all.
    tied : bool array of shape (n,)
        Whether several rows of the table are the newest: ``at`` is the last of them.
    candidates : int
        Rows of the table with the key of one of these rows.

    Examples
    --------
    >>> rows = NewestMatches(np.array([7, 7, 9], np.uint64), np.array([10, 30, 30]))
    >>> rows.add(np.array([7, 7, 8], np.uint64), np.array([10, 20, 10]))
    >>> rows.at.tolist()
    [0, 1, -1]
    """

    def __init__(self, keys: Hashes, until: Integers | None = None) -> None:
        count = len(keys)
        self._keys = keys
        self._until = np.zeros(count, np.int64) if until is None else until
        self._named = (keys != 0) & (self._until != NEVER)
        self._wanted = np.unique(keys[keys != 0])
        self._hit = np.zeros(len(self._wanted), dtype=bool)
        self._rows = 0
        self.at = np.full(count, -1, dtype=np.int64)
        self.times = np.full(count, NEVER, dtype=np.int64)
        self.tied = np.zeros(count, dtype=bool)
        self.candidates = 0

    @property
    def known(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Whether the table has the key at all."""
        if not len(self._wanted):
            return np.zeros(len(self._keys), dtype=bool)
        place = np.searchsorted(self._wanted, self._keys)
        found: np.ndarray[Any, np.dtype[np.bool_]] = self._hit[
            np.minimum(place, len(self._wanted) - 1)
        ]
        found[self._keys == 0] = False
        return found

    @property
    def used(self) -> int:
        """Different keys of these rows that the table has."""
        return int(self._hit.sum())

    def add(self, keys: Hashes, times: Integers | None = None) -> None:
        """Look at the next part of the table.

        Parameters
        ----------
        keys : uint64 array of shape (m,)
            0: a row that nothing names; it is no match.
        times : int64 array of shape (m,), optional
            When each row was known; ``NEVER``: it is no match. Default: always.
        """
        begin, self._rows = self._rows, self._rows + len(keys)
        found = self._with_keys_of_ours(keys, times)
        if not len(found):
            return
        theirs = np.asarray(keys[found])
        known = np.zeros(len(found), np.int64) if times is None else np.asarray(times[found])
        ours = np.flatnonzero(self._named)
        key = np.concatenate([theirs, self._keys[ours]])
        time = np.concatenate([known, self._until[ours]])
        side = np.repeat(np.array([0, 1], np.int8), [len(theirs), len(ours)])
        # By key and time, theirs before ours: the one before a row of ours is the newest not later.
        order = np.lexsort((side, time, key))
        key, time, theirs_here = key[order], time[order], side[order] == 0
        places = np.arange(len(order))
        last = np.maximum.accumulate(np.where(theirs_here, places, -1))
        mine = np.flatnonzero(~theirs_here)
        newest = last[mine]
        good = (newest >= 0) & (key[newest] == key[mine])
        mine, newest = mine[good], newest[good]
        before = newest - 1
        twin = (
            (before >= 0)
            & theirs_here[before]
            & (key[before] == key[newest])
            & (time[before] == time[newest])
        )
        row = ours[order[mine] - len(theirs)]
        at, when = begin + found[order[newest]], time[newest]
        none = self.at[row] < 0
        newer = none | (when > self.times[row])
        again = ~none & (when == self.times[row])
        self.tied[row] = np.where(newer, twin, self.tied[row] | again)
        taken = newer | again
        self.at[row[taken]], self.times[row[taken]] = at[taken], when[taken]

    def _with_keys_of_ours(self, keys: Hashes, times: Integers | None) -> Integers:
        """Positions of the part's rows whose key is one of ours."""
        found = []
        for start in range(0, len(keys) if len(self._wanted) else 0, CHUNK):
            some = np.asarray(keys[start : start + CHUNK])
            place = np.minimum(np.searchsorted(self._wanted, some), len(self._wanted) - 1)
            hit = self._wanted[place] == some
            if times is not None:
                hit &= np.asarray(times[start : start + CHUNK]) != NEVER
            self._hit[place[hit]] = True
            found.append(np.flatnonzero(hit) + start)
        positions = np.concatenate(found) if found else np.zeros(0, dtype=np.int64)
        self.candidates += len(positions)
        return positions
