"""Bounded samples by hash: exact counts while they fit, and a fair share after that."""

from __future__ import annotations

import numpy as np

from everfit.data.tables.row_digests import Hashes


class HashSample:
    """Hashes below a bound that is halved whenever there are more than ``most``.

    So everything is counted while it fits, and after that a share that depends on the values
    alone, not on their order: every repetition of a value is in or every one is out.
    """

    def __init__(self, most: int, unique: bool) -> None:
        self._most, self._unique = most, unique
        self._held: list[Hashes] = []
        self._count = 0
        self._halvings = 0

    def add(self, hashes: Hashes) -> None:
        """Take in hashes, shape (n,)."""
        if self._halvings:
            hashes = hashes[hashes < self._bound]
        self._held.append(hashes)
        self._count += len(hashes)
        while self._count > self._most:
            self._shrink()

    @property
    def _bound(self) -> np.uint64:
        return np.uint64(1 << (64 - self._halvings))

    def _shrink(self) -> None:
        held = np.concatenate(self._held)
        if self._unique:
            held = _distinct(held)
        if len(held) > self._most:
            self._halvings += 1
            held = held[held < self._bound]
        self._held, self._count = [held], len(held)

    @property
    def exact(self) -> bool:
        """Whether every hash is still here, so that counts are exact."""
        return self._halvings == 0

    def counts(self) -> tuple[int, int]:
        """Hashes taken in, and distinct ones; scaled up where only a share is kept.

        The first is meaningless where only unique hashes are kept.
        """
        held = np.concatenate(self._held) if self._held else np.empty(0, dtype=np.uint64)
        scale = 1 << self._halvings
        return len(held) * scale, len(_distinct(held)) * scale


def _distinct(hashes: Hashes) -> Hashes:
    """Sorted and without repetitions; several times faster here than ``numpy.unique``."""
    hashes = np.sort(hashes)
    first = np.ones(len(hashes), dtype=bool)
    np.not_equal(hashes[1:], hashes[:-1], out=first[1:])
    return hashes[first]
