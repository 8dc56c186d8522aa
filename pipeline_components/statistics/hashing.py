"""64-bit hashes of whole columns and rows at once, and bounded samples by hash.

Equal values have equal hashes on every machine and in every batch; none is stored. Two of n
different rows collide with a chance of about n² / 2⁶⁵: one in nine million for two million rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

MISSING = np.uint64(0x6E756C6C6E756C6C)
"""Stands for null in the hash of a row."""

_ONE = np.uint64(0xBF58476D1CE4E5B9)
_TWO = np.uint64(0x94D049BB133111EB)
_STEP = np.uint64(0x9E3779B97F4A7C15)


def mix(bits: Array) -> Array:
    """Scatter 64-bit patterns (the finaliser of SplitMix64, a bijection). Shape (n,)."""
    h = bits.astype(np.uint64)  # a copy, worked on in place
    h += _STEP
    h ^= h >> np.uint64(30)
    h *= _ONE
    h ^= h >> np.uint64(27)
    h *= _TWO
    h ^= h >> np.uint64(31)
    return h


def hash_numbers(values: Array) -> Array:
    """Hash integers, booleans or floats (equal floats equally: both zeros, every NaN). (n,)."""
    if values.dtype.kind == "f":
        values = values.astype(np.float64) + 0.0  # -0.0 becomes 0.0
        values[np.isnan(values)] = np.nan
        return mix(values.view(np.uint64))
    return mix(values.astype(np.int64).view(np.uint64))


def hash_texts(offsets: Array, data: Array) -> Array:
    """Hash texts laid end to end.

    Parameters
    ----------
    offsets : ndarray of int, shape (n + 1,)
        Text ``i`` is ``data[offsets[i]:offsets[i + 1]]``.
    data : ndarray of uint8
        Their bytes.
    """
    starts = offsets[:-1].astype(np.int64)
    lengths = np.diff(offsets).astype(np.int64)
    padded = np.concatenate([data, np.zeros(8, dtype=np.uint8)])
    # Eight bytes from every position, read where they are.
    words = np.ndarray((len(padded) - 7,), dtype="<u8", buffer=padded, strides=(1,))
    total = mix(lengths)
    left = np.flatnonzero(lengths > 0)
    depth = 0
    while len(left):
        rest = np.minimum(lengths[left] - depth, 8)
        word = words[starts[left] + depth]
        word &= np.uint64(0xFFFFFFFFFFFFFFFF) >> (
            np.uint64(64) - np.uint64(8) * rest.astype(np.uint64)
        )
        total[left] = mix(total[left] ^ word)
        depth += 8
        left = left[lengths[left] > depth]
    return total


class RowHash:
    """The hash of rows, a column at a time."""

    def __init__(self, rows: int) -> None:
        self.value = np.full(rows, _STEP, dtype=np.uint64)

    def add(self, hashes: Array) -> None:
        """Take in the next column's hashes, shape (rows,)."""
        self.value ^= hashes
        self.value *= _ONE
        self.value ^= self.value >> np.uint64(29)


class HashSample:
    """Hashes below a bound that is halved whenever more than ``most`` are held.

    So everything is counted while it fits, and after that a share that depends on the values
    alone, not on their order: every repetition of a value is in or every one is out.
    """

    def __init__(self, most: int, unique: bool) -> None:
        self._most, self._unique = most, unique
        self._held: list[Array] = []
        self._count = 0
        self._halvings = 0

    def add(self, hashes: Array) -> None:
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
        """Whether everything is still held."""
        return self._halvings == 0

    def counts(self) -> tuple[int, int]:
        """Hashes taken in, and distinct ones; scaled up where only a share is held.

        The first is meaningless where only unique hashes are kept.
        """
        held = np.concatenate(self._held) if self._held else np.empty(0, dtype=np.uint64)
        scale = 1 << self._halvings
        return len(held) * scale, len(_distinct(held)) * scale


def _distinct(hashes: Array) -> Array:
    """Sorted and without repetitions; several times faster here than ``numpy.unique``."""
    hashes = np.sort(hashes)
    first = np.ones(len(hashes), dtype=bool)
    np.not_equal(hashes[1:], hashes[:-1], out=first[1:])
    return hashes[first]
