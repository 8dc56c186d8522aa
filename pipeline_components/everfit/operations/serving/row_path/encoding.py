"""The steps before the estimator on one row: typed values, derived columns, the encoded matrix."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from everfit.ml.model.table_encoder import BUCKETS
from everfit.operations.serving.row_path.expressions import Kind, compiled
from everfit.operations.serving.row_path.functions import (
    EPOCH,
    NAN,
    NotCompiled,
    Row,
    whole_microseconds,
)

Write = Callable[[Any, list[float]], None]
"""Appends what a part of the matrix holds for a value."""

Encode = Callable[[Mapping[str, Sequence[Any]]], list[list[float]]]
"""Columns of values of a request → the rows of the matrix."""

KINDS: dict[str, Kind] = {
    "integer": "number",
    "float": "number",
    "boolean": "number",
    "string": "text",
    "timestamp": "time",
}
"""Type of a column → kind of its value in an expression."""


def compile_encoding(steps: Sequence[Any]) -> Encode:
    """The steps before the estimator as a function.

    Parameters
    ----------
    steps : sequence of transformers
        ``RawColumns``, perhaps ``DerivedColumns``, ``TableEncoder``; fitted.

    Raises
    ------
    NotCompiled
        If there is another one, or one holds what is only computed on frames.
    """
    from everfit.ml.model.derived_columns import DerivedColumns
    from everfit.ml.model.raw_columns import RawColumns
    from everfit.ml.model.table_encoder import TableEncoder

    known = ([RawColumns, TableEncoder], [RawColumns, DerivedColumns, TableEncoder])
    if [type(step) for step in steps] not in known:
        raise NotCompiled("its preparation is not Everfit's own")
    columns: Mapping[str, str] = steps[0].columns
    kinds = {name: KINDS[kind] for name, kind in columns.items()}
    derive = []
    for name, text in steps[1].expressions.items() if len(steps) > 2 else ():
        node = compiled(text, kinds)
        derive.append((name, node.get))
        kinds[name] = node.kind
    parts = [(part["column"], _write(part, kinds)) for part in steps[-1].parts_]
    names, numbers = list(columns), [kinds[name] == "number" for name in columns]

    def encode(values: Mapping[str, Sequence[Any]]) -> list[list[float]]:
        rows = []
        for given in zip(*(values[name] for name in names), strict=True):
            row: Row = {
                name: (NAN if value is None else float(value)) if is_number else value
                for name, value, is_number in zip(names, given, numbers, strict=True)
            }
            for name, get in derive:
                row[name] = get(row)
            out: list[float] = []
            for name, write in parts:
                write(row[name], out)
            rows.append(out)
        return rows

    return encode


def _write(part: dict[str, Any], kinds: Mapping[str, Kind]) -> Write:
    kind, name = part["kind"], part["column"]
    needed, make = _WRITE[kind]
    if kinds.get(name) != needed:
        raise NotCompiled(f"column {name} is encoded as {kind}, and is no {needed}")
    return make(part)


def _number(part: dict[str, Any]) -> Write:
    if "scale" in part:
        return _scaled(part)
    if "gap" in part:
        gap = float(part["gap"])
        return lambda value, out: out.append(gap if math.isnan(value) else value)
    return lambda value, out: out.append(value)


def _scaled(part: dict[str, Any]) -> Write:
    low, high = float(part["low"]), float(part["high"])
    center, scale = float(part["center"]), float(part["scale"])
    flagged = len(part["names"]) == 2

    def write(value: float, out: list[float]) -> None:
        missing = math.isnan(value)
        clipped = value if value > low else low
        clipped = clipped if clipped < high else high
        out.append(0.0 if missing else (clipped - center) / scale)
        if flagged:
            out.append(float(missing))

    return write


def _levels(part: dict[str, Any]) -> Write:
    levels = part["levels"].tolist()
    return lambda value, out: out.extend([float(value == level) for level in levels])


def _place(part: dict[str, Any]) -> Callable[[str | None], int]:
    """A text's position among the known ones, its bucket after them, or -1."""
    texts = part["texts"].tolist()
    places = {text: place for place, text in reversed(list(enumerate(texts)))}
    hashed, known = part["hashed"], len(texts)

    def place(text: str | None) -> int:
        if text is None:
            return -1
        found: int = places.get(text, -1)
        if found < 0 and hashed:
            return known + zlib.crc32(text.encode()) % BUCKETS
        return found

    return place


def _codes(part: dict[str, Any]) -> Write:
    place = _place(part)

    def write(text: str | None, out: list[float]) -> None:
        code = place(text)
        out.append(NAN if code < 0 else float(code))

    return write


def _onehot(part: dict[str, Any]) -> Write:
    place, width = _place(part), len(part["names"])

    def write(text: str | None, out: list[float]) -> None:
        code = place(text)
        found = [0.0] * width
        if code >= 0:
            found[code] = 1.0
        out += found

    return write


def _times(part: dict[str, Any]) -> Write:  # noqa: ARG001
    def write(moment: datetime | None, out: list[float]) -> None:
        if moment is None:
            out += [NAN] * 4
            return
        hour = moment.hour + moment.minute / 60
        out += [hour, float(moment.weekday()), float(moment.day), float(moment.month)]

    return write


def _cycles(part: dict[str, Any]) -> Write:  # noqa: ARG001
    import numpy as np

    def write(moment: datetime | None, out: list[float]) -> None:
        if moment is None:
            out += [0.0] * 6
            return
        days = float(whole_microseconds(moment - EPOCH)) / 86_400_000_000.0
        for period in (1.0, 0.5, 7.0):
            angle = 2 * np.pi * (days % period) / period
            # numpy's own: the C library's may round otherwise.
            out += [float(np.sin(angle)), float(np.cos(angle))]

    return write


_WRITE: dict[str, tuple[Kind, Callable[[dict[str, Any]], Write]]] = {
    "number": ("number", _number),
    "levels": ("number", _levels),
    "codes": ("text", _codes),
    "onehot": ("text", _onehot),
    "times": ("time", _times),
    "cycles": ("time", _cycles),
}
"""Kind of part → kind of its column's value, and what writes it."""
