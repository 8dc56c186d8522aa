"""64-bit digests of values and of rows by their content: the one hash of the package.

A row's digest is the sum, modulo 2⁶⁴, of one hash for each of its values that is not missing, where
the hash depends on the column's name and the value. So it does not depend on the
order of columns, on the width of a type (1, 1.0 and true are one value; -0.0 is 0.0), on the span,
the file or the position of the row, nor on whether an empty column is there at all.

Two given rows that differ have the same digest with a chance of 2⁻⁶⁴, and any two of n different
rows with about n² / 2⁶⁵: one in nine million for two million rows. The scattering is public, so
this is an identity, not a protection against forgery.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from everfit.data.tables.frames import to_arrow

Hashes = np.ndarray[Any, np.dtype[np.uint64]]
Integers = np.ndarray[Any, np.dtype[np.int64]]

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


def numbered(rows: Hashes) -> Hashes:
    """A digest of each row's own: equal rows are told apart by how many of them came before.

    Parameters
    ----------
    rows : uint64 array of shape (n,)
        Row digests; of each the first keeps its own.

    Returns
    -------
    uint64 array of shape (n,)
        As a set it does not depend on the order of the rows.

    Examples
    --------
    >>> own = numbered(np.array([7, 9, 7, 7], dtype=np.uint64))
    >>> own[:2].tolist(), len(set(own.tolist()))
    ([7, 9], 4)
    """
    order = np.argsort(rows, kind="stable")
    ascending = rows[order]
    first = np.ones(len(rows), dtype=bool)
    np.not_equal(ascending[1:], ascending[:-1], out=first[1:])
    if first.all():
        return rows
    place = np.arange(len(rows), dtype=np.uint64)
    before = place - np.maximum.accumulate(np.where(first, place, np.uint64(0)))
    own = ascending.copy()
    again = ~first
    own[again] = scatter(ascending[again] ^ scatter(before[again]))
    found = np.empty_like(rows)
    found[order] = own
    return found


def newest_versions(
    keys: Hashes, span: Integers, times: Integers | None
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which rows are the newest of their key: of the latest span, then time, then place.

    Parameters
    ----------
    keys : uint64 array of shape (n,)
        In the order in which the rows were delivered. 0: a row that nothing names is its own.
    span : int array of shape (n,)
        Number of each row's span, in the source's order.
    times : int array of shape (n,), optional

    Returns
    -------
    bool array of shape (n,)
    """
    order = np.argsort(keys, kind="stable") if times is None else np.lexsort((times, span, keys))
    last = np.ones(len(keys), dtype=bool)
    np.not_equal(keys[order][1:], keys[order][:-1], out=last[:-1])
    newest = np.empty(len(keys), dtype=bool)
    newest[order] = last
    newest |= keys == 0
    return newest


def salt_of(column: str) -> np.uint64:
    """What tells a value of one column from the same value of another."""
    return np.uint64((zlib.crc32(column.encode()) | len(column) << 32) * _STEP & _ALL)


def number_hashes(values: np.ndarray[Any, Any], salt: np.uint64) -> Hashes:
    """Hash integers, booleans or floats of one column.

    Whole floats hash as integers do, so that a column read as floats changes nothing. What is
    not a number has a hash too: whether it counts is the caller's to say.

    Parameters
    ----------
    values : array of shape (n,)
    salt : uint64
        Of the column.
    """
    if values.dtype.kind != "f":
        return scatter(values.astype(np.uint64) ^ salt)
    values = values.astype(np.float64, copy=False)
    bits = values.view(np.uint64) ^ _FRACTION
    whole = np.floor(values) == values
    if whole.any():
        whole &= (values >= -(2.0**63)) & (values < 2.0**63)
        bits[whole] = values[whole].astype(np.int64).view(np.uint64)
    bits ^= salt
    return scatter(bits)


def text_hashes(
    offsets: np.ndarray[Any, Any], data: np.ndarray[Any, Any], salt: np.uint64
) -> Hashes:
    """Hash UTF-8 texts laid end to end, eight bytes at a time, all at once.

    Parameters
    ----------
    offsets : int array of shape (n + 1,)
        Text ``i`` is ``data[offsets[i]:offsets[i + 1]]``.
    data : uint8 array
    salt : uint64
        Of the column.
    """
    starts, lengths = offsets[:-1].astype(np.int64), np.diff(offsets).astype(np.int64)
    first, last = int(offsets[0]), int(offsets[-1])
    padded = np.zeros(last - first + 8, dtype=np.uint8)
    padded[: last - first] = data[first:last]
    starts -= first
    # The eight bytes that begin at every position, read in place.
    words = np.ndarray((len(padded) - 7,), dtype="<u8", buffer=padded.data, strides=(1,))
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
    total ^= salt
    return scatter(total)


def _column_hashes(name: str, column: Any) -> Hashes:
    """Hash each value with the column's name; 0 where missing."""
    import pyarrow as pa

    salt = salt_of(name)
    missing = column.is_null().to_numpy(zero_copy_only=False) if column.null_count else None
    if pa.types.is_string(column.type):
        _, ends, data = column.buffers()
        if not len(column):
            return np.zeros(0, dtype=np.uint64)
        offsets = np.frombuffer(ends, dtype=np.int32)
        texts = np.frombuffer(data if data is not None else b"", dtype=np.uint8)
        hashes = text_hashes(offsets[column.offset : column.offset + len(column) + 1], texts, salt)
    else:
        if pa.types.is_timestamp(column.type) or pa.types.is_boolean(column.type):
            column = column.cast(pa.int64())
        values = column.fill_null(0).to_numpy(zero_copy_only=False)
        hashes = number_hashes(values, salt)
        if values.dtype.kind == "f":
            nan = np.isnan(values)
            if nan.any():
                missing = nan if missing is None else missing | nan
    if missing is not None:
        hashes[missing] = 0
    return hashes
