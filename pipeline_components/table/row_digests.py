"""64-bit digests of rows by their content.

A row's digest is the sum, modulo 2⁶⁴, of one scattered hash for each of its values that is not
missing, where the hash depends on the column's name and the value. So it does not depend on the
order of columns, on the width of a type (1, 1.0 and true are one value; -0.0 is 0.0), on the span,
the file or the position of the row, nor on whether an empty column is there at all.

Two given rows that differ have the same digest with a chance of 2⁻⁶⁴, and any two of n different
rows with about n² / 2⁶⁵: one in nine million for two million rows. One row would then be left out
as a repetition. The scattering is public, so this is an identity, not a protection against forgery.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from .frames import to_arrow

Hashes = np.ndarray[Any, np.dtype[np.uint64]]

_ALL = 0xFFFFFFFFFFFFFFFF
_ONE = np.uint64(0xBF58476D1CE4E5B9)
_TWO = np.uint64(0x94D049BB133111EB)
_STEP = 0x9E3779B97F4A7C15
_FRACTION = np.uint64(0xD6E8FEB86659FD93)
_TEXT = np.uint64(0xA0761D6478BD642F)


def row_digests(table: Any, columns: Iterable[str]) -> Hashes:
    """Digest each row over some columns.

    Parameters
    ----------
    table : pyarrow.Table or pyarrow.RecordBatch of n rows
    columns : iterable of str
        Those the table lacks count as missing in every row.

    Returns
    -------
    numpy array of shape (n,), uint64
        0 where every value is missing.
    """
    total = np.zeros(table.num_rows, dtype=np.uint64)
    present = set(table.schema.names)
    for name in columns:
        if name in present:
            column = to_arrow(table.column(name))
            chunks = column.chunks if hasattr(column, "chunks") else [column]
            start = 0
            for chunk in chunks:
                total[start : start + len(chunk)] += _column_hashes(name, chunk)
                start += len(chunk)
    return total


def scatter(bits: Hashes, salt: int = 0) -> Hashes:
    """Scatter 64-bit patterns (SplitMix64's finaliser, a bijection). Shape (n,)."""
    h = bits + np.uint64((salt * int(_TWO) + _STEP) & _ALL)
    h ^= h >> np.uint64(30)
    h *= _ONE
    h ^= h >> np.uint64(27)
    h *= _TWO
    h ^= h >> np.uint64(31)
    return h


def _column_hashes(name: str, column: Any) -> Hashes:
    """Hash each value with the column's name; 0 where missing."""
    import pyarrow as pa

    missing = column.is_null().to_numpy(zero_copy_only=False) if column.null_count else None
    if pa.types.is_string(column.type):
        hashes = _texts(column)
    elif pa.types.is_floating(column.type):
        values = column.fill_null(0).to_numpy(zero_copy_only=False)
        hashes = _floats(values)
        nan = np.isnan(values)
        if nan.any():
            missing = nan if missing is None else missing | nan
    else:
        if pa.types.is_timestamp(column.type) or pa.types.is_boolean(column.type):
            column = column.cast(pa.int64())
        values = column.fill_null(0).to_numpy(zero_copy_only=False)
        hashes = scatter(values.astype(np.uint64, copy=False))
    salt = (zlib.crc32(name.encode()) | len(name) << 32) * _STEP
    hashes = scatter(hashes ^ np.uint64(salt & _ALL))
    if missing is not None:
        hashes[missing] = 0
    return hashes


def _floats(values: np.ndarray[Any, np.dtype[np.float64]]) -> Hashes:
    """Whole numbers hash as integers do, so that a column read as floats changes nothing."""
    safe = np.where(np.abs(values) < 2.0**63, values, 0.5)  # NaN and infinity are no integers
    whole = safe.astype(np.int64)
    is_whole = whole == safe
    hashes = scatter(whole.astype(np.uint64))
    if not is_whole.all():
        rest = ~is_whole
        hashes[rest] = scatter(values[rest].view(np.uint64) ^ _FRACTION)
    return hashes


def _texts(column: Any) -> Hashes:
    """Hash UTF-8 texts eight bytes at a time, all rows at once."""
    _, offsets_buffer, data_buffer = column.buffers()
    rows = len(column)
    if not rows:
        return np.zeros(0, dtype=np.uint64)
    offsets = np.frombuffer(offsets_buffer, dtype=np.int32)[
        column.offset : column.offset + rows + 1
    ]
    starts, lengths = offsets[:-1].astype(np.int64), np.diff(offsets).astype(np.int64)
    first, last = int(offsets[0]), int(offsets[-1])
    data = np.zeros(last - first + 8, dtype=np.uint8)
    if data_buffer is not None and last > first:
        data[:-8] = np.frombuffer(data_buffer, dtype=np.uint8)[first:last]
    starts -= first
    # The eight bytes that begin at every position, read in place.
    words = np.ndarray((len(data) - 7,), dtype="<u8", buffer=data.data, strides=(1,))
    total = scatter(lengths.astype(np.uint64) ^ _TEXT)
    left = np.flatnonzero(lengths > 0)
    depth = 0
    while len(left):
        rest = np.minimum(lengths[left] - depth, 8).astype(np.uint64)
        word = words[starts[left] + depth]
        word &= np.uint64(_ALL) >> (np.uint64(64) - np.uint64(8) * rest)
        total[left] = scatter(total[left] ^ word)
        depth += 8
        left = left[lengths[left] > depth]
    return total
