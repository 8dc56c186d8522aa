"""A fair sample of a span's rows by content, to tell whether another span delivered them before.

Which rows are in it depends on their content alone, so a row that is in the sample of one span is
in those of all spans that hold it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import Field

from everfit.contracts.base import Frozen
from everfit.data.tables.row_digests import Hashes, scatter

MOST = 8_192
"""Rows held of a span (64 kB)."""


class DeliverySample(Frozen):
    """Digests of some rows of a span, in their order."""

    halvings: int = Field(description="rows whose digest is below 2⁶⁴⁻ⁿ are in")
    content: str = Field(description="base64 of little-endian uint64: of what is compared")
    row: str = Field("", description="the same with the row's key; empty without a key")


class SampleTaker:
    """Takes the sample while the span's columns stream by.

    Parameters
    ----------
    columns : frozenset of str
        What is compared.
    key : frozenset of str
        Columns that name a row; may be empty.
    """

    def __init__(self, columns: frozenset[str], key: frozenset[str]) -> None:
        self._columns, self._key = columns, key
        self._held: list[Hashes] = []
        self._count = self._halvings = 0

    def add(self, hashes: Mapping[str, Hashes], rows: int) -> None:
        """Take in the next rows.

        Parameters
        ----------
        hashes : mapping
            Column → hash of each value, 0 where missing, as ``row_digests`` adds them up.
        rows : int
        """
        content = _sum(hashes, self._columns, rows)
        kept = np.flatnonzero(content < self._bound)
        content = content[kept]
        row = content ^ scatter(_sum(hashes, self._key, rows)[kept]) if self._key else content
        self._held.append(np.column_stack([content, row]))
        self._count += len(self._held[-1])
        while self._count > MOST and self._halvings < 63:
            self._halvings += 1
            joined = np.concatenate(self._held)
            self._held = [joined[joined[:, 0] < self._bound]]
            self._count = len(self._held[0])

    @property
    def _bound(self) -> np.uint64:
        return np.uint64((1 << (64 - self._halvings)) - 1)

    def sample(self) -> DeliverySample:
        """Everything taken in so far."""
        held = np.concatenate(self._held) if self._held else np.zeros((0, 2), dtype=np.uint64)
        return DeliverySample(
            halvings=self._halvings,
            content=_encoded(held[:, 0]),
            row=_encoded(held[:, 1]) if self._key else "",
        )


def rows_of(sample: DeliverySample, halvings: int) -> tuple[Hashes, Hashes | None]:
    """Digests of the rows that are in a smaller sample: of what is compared, and with the key."""
    content = _decoded(sample.content)
    kept = content < np.uint64((1 << (64 - halvings)) - 1)
    return content[kept], _decoded(sample.row)[kept] if sample.row else None


def _sum(hashes: Mapping[str, Hashes], columns: frozenset[str], rows: int) -> Hashes:
    total = np.zeros(rows, dtype=np.uint64)
    for name in columns & hashes.keys():
        total += hashes[name]
    return total


def _encoded(values: Hashes) -> str:
    return base64.b64encode(values.astype("<u8").tobytes()).decode()


def _decoded(text: str) -> Hashes:
    values: Any = np.frombuffer(base64.b64decode(text), dtype="<u8")
    return np.asarray(values, dtype=np.uint64)
