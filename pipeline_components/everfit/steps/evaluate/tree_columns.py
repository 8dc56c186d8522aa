"""Raw columns as a tree sees them, and a tree's branches as expressions a person can read.

A branch becomes an expression of the spec's own language, so that a slice that was found can be
declared by copying it, and its rows are exactly those where the expression is true.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from keyword import iskeyword
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from everfit.contracts.messages.training import ColumnRole
from everfit.contracts.spec.expression import FUNCTIONS
from everfit.data.tables.frames import type_name
from everfit.ml.scoring.resampling import Floats

if TYPE_CHECKING:
    import pandas as pd

VALUES = 8
"""Most frequent values of a text column that a branch may name."""
LONGEST = 42
"""Characters of a quoted name or value: three conditions must fit into one expression."""
LARGEST = 1e30
"""Beyond it single precision ends, and a tree takes no more."""


@dataclass(frozen=True)
class TreeColumn:
    """One column of the matrix a tree is fitted on.

    Attributes
    ----------
    values : (n,) float32 array
        NaN where missing.
    name : str
        The column, or a part of its time, as an expression writes it.
    kind : str
    equals : str
        Of kind ``equals``: the value it asks for.
    missing : bool
        Whether any row has no value.
    """

    values: Any
    name: str
    kind: Literal["number", "whole", "flag", "equals", "absent"]
    equals: str = ""
    missing: bool = False


def tree_columns(frame: pd.DataFrame, columns: Sequence[ColumnRole]) -> list[TreeColumn]:
    """What a tree may divide the rows by.

    Parameters
    ----------
    frame : (n, ...) DataFrame
        The rows a tree is fitted on.
    columns : sequence of ColumnRole
        Those to look at. Of a timestamp, its hour and weekday; of a text, its most frequent
        values and whether it is missing.
    """
    found: list[TreeColumn] = []
    for role in columns:
        if len(repr(role.name)) <= LONGEST:
            found += _columns(frame[role.name], role)
    return found


def _columns(values: pd.Series[Any], role: ColumnRole) -> list[TreeColumn]:
    name, missing = written(role.name), bool(values.isna().any())
    stored = type_name(values.dtype)
    if stored == "timestamp":
        parts = (("hour", values.dt.hour), ("weekday", values.dt.dayofweek))
        return [
            TreeColumn(_single(part), f"{word}({name})", "whole", missing=missing)
            for word, part in parts
        ]
    if stored != "string":
        kind: Literal["number", "whole", "flag"] = "number"
        if {"integer", "boolean"} & {role.type, stored}:
            kind = "whole" if "integer" in (role.type, stored) else "flag"
        return [TreeColumn(_single(values), name, kind, missing=missing)]
    counts = values.value_counts()
    named = sorted((-int(rows), str(value)) for value, rows in counts.items())
    some = [
        TreeColumn(_single(values == text), name, "equals", text, missing)
        for _, text in named[:VALUES]
        if len(repr(text)) <= LONGEST
    ]
    return [*some, *([TreeColumn(_single(values.isna()), name, "absent")] if missing else [])]


def _single(values: Any) -> Any:
    wide = values.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.clip(wide, -LARGEST, LARGEST).astype(np.float32)


@dataclass(frozen=True)
class Branch:
    """What a path through a tree asks of one column: ``low < value <= high``, or no value."""

    low: float = -math.inf
    high: float = math.inf
    missing: bool = True

    def below(self, threshold: float, missing: bool) -> Branch:
        """The left turn."""
        return replace(self, high=min(self.high, threshold), missing=self.missing and missing)

    def above(self, threshold: float, missing: bool) -> Branch:
        """The right turn."""
        return replace(self, low=max(self.low, threshold), missing=self.missing and missing)


def expression(path: Sequence[tuple[TreeColumn, Branch]]) -> str:
    """A path as one expression: conditions of each column joined by ``and``."""
    return " and ".join(text for column, branch in path if (text := _condition(column, branch)))


def _condition(column: TreeColumn, branch: Branch) -> str:
    if column.kind == "absent":
        return f"isnull({column.name})" if branch.low >= 0 else f"not isnull({column.name})"
    if column.kind == "equals":
        text = repr(column.equals)
        if branch.low >= 0:
            return f"{column.name} == {text}"
        other = f"{column.name} != {text}"
        return f"(isnull({column.name}) or {other})" if column.missing else other
    bounds = _bounds(column, branch)
    if branch.low == math.inf:  # everything that has a value went the other way
        return f"isnull({column.name})"
    if not column.missing:
        return bounds
    if not branch.missing:
        return bounds or f"not isnull({column.name})"
    wrapped = f"({bounds})" if " and " in bounds else bounds
    return f"(isnull({column.name}) or {wrapped})" if bounds else ""


def _bounds(column: TreeColumn, branch: Branch) -> str:
    if column.kind == "flag":
        if branch.low >= 0:
            return column.name
        return f"not {column.name}" if branch.high < 1 else ""
    below, above = math.isfinite(branch.high), math.isfinite(branch.low)
    if column.kind == "whole":
        low, high = (math.floor(x) if math.isfinite(x) else x for x in (branch.low, branch.high))
        if below and above and high - low == 1:
            return f"{column.name} == {high}"
        texts = (f"{low}", f"{high}")
    else:
        texts = (short(branch.low, column.values), short(branch.high, column.values))
    parts = [f"{column.name} > {texts[0]}"] if above else []
    parts += [f"{column.name} <= {texts[1]}"] if below else []
    return " and ".join(parts)


def short(threshold: float, values: Floats) -> str:
    """A threshold in the fewest digits, at least two, that divide the rows all but alike."""
    exact = np.float64(threshold)
    share = float((values <= exact).mean())
    for digits in range(2, 18):
        text = f"{exact:.{digits}g}"
        if abs(float((values <= float(text)).mean()) - share) <= 0.002:
            return text
    return repr(float(exact))


def written(name: str) -> str:
    """A column as an expression writes it."""
    plain = re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) and not iskeyword(name)
    return name if plain and name not in FUNCTIONS else f"col({name!r})"
