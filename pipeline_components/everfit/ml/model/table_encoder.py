"""A typed table as one matrix of numbers, encoded as the model family likes it best.

One pass over the columns, straight into one preallocated array: no intermediate tables, so two
million rows need the memory of the result alone.

=========  ==========================  ==========================  ============================
style      ``codes``                   ``onehot``                  ``scaled``
=========  ==========================  ==========================  ============================
for        histogram gradient          random forests, extra       linear models and any
           boosting                    trees                       estimator by import path
numbers    as they are, NaN is         as they are; the median     clipped, imputed, scaled; a
           missing                     where missing, as splits    flag where one was missing; a
                                       that look for gaps cost a   column per value too where there
                                       fifth more and gain none    are few and all are whole
text       a code per value, by        a column per value; from    a column per value; from
           frequency: native           ``high_cardinality``        ``high_cardinality`` values
           categories below            values a code by frequency  on, rare ones are hashed
           ``high_cardinality``
           values, a number from
           there, as a split may put
           any set of categories on
           a side and so learns
           hundreds by heart
timestamp  hour, weekday, day, month   hour, weekday, day, month   sine and cosine of the time
                                                                   of day and of the week
=========  ==========================  ==========================  ============================

A text never seen in training is missing in ``codes``, all zeros among one-hot columns, and in its
hash bucket where the column is hashed. A column with one value or none in training is left out, and
so are texts that hardly repeat (``nearly_unique.py``), unless there is nothing else.
The position in time itself is not encoded: what a model learns of it cannot hold for the rows to
come, which are all later (on taxi trips it cost a tenth of the error). Derive it to have it.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from everfit.data.tables.nearly_unique import is_nearly_unique

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

BUCKETS = 16
"""Hash buckets that share the texts too rare for a code of their own."""

MOST_CODES = 254
"""Codes of one text column, buckets included; histogram gradient boosting takes 255 categories."""

CLIP = (0.001, 0.999)
"""Quantiles of training that numbers are clipped to before scaling: no wild value rules."""

QUANTILE_ROWS = 200_000
"""Rows those quantiles are computed on, evenly spaced over the table."""

MOST_DOUBLES = 40_000_000
"""Cells of a scaled matrix kept in double precision: 320 MB."""

CELLS_AT_ONCE = 200_000
"""Cells of columns of numbers that are read at a time: 1.6 MB."""

WORTH_IT = 100
"""Columns read at a time; fewer are as quick one by one."""

FEW_LEVELS = 12
"""Whole numbers with at most so many values may be codes: linear models get a column for each."""

TREE_TIMES = ("hour", "weekday", "day", "month")
CYCLES = ("day_sin", "day_cos", "half_day_sin", "half_day_cos", "week_sin", "week_cos")

Matrix = Any


class TableEncoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Encode a typed frame as a matrix.

    Parameters
    ----------
    columns : list of str
        The features, in order; other columns of the frame are ignored.
    style : {"codes", "onehot", "scaled"}
        See the table at the top of this module.
    high_cardinality : int
        Distinct values from which a text column is no longer one-hot.

    Attributes
    ----------
    names_ : list of str
        Columns of the matrix.
    categorical_ : list of int
        Positions of the columns that hold category codes (``codes`` only).
    """

    def __init__(self, columns: list[str], style: str, high_cardinality: int = 40) -> None:
        self.columns = columns
        self.style = style
        self.high_cardinality = high_cardinality

    def fit(self, frame: pd.DataFrame, y: ArrayLike | None = None) -> Self:  # noqa: ARG002
        """Learn categories, and for ``scaled`` centres and scales.

        Parameters
        ----------
        frame : DataFrame of n rows
            Numbers, booleans, ``str`` and ``datetime64[us]`` columns.
        """
        self._fit_columns(frame, unique_texts=False)
        if not self.names_:
            self._fit_columns(frame, unique_texts=True)
        small = len(frame) * len(self.names_) <= MOST_DOUBLES
        double = self.style == "codes" or (self.style == "scaled" and small)
        self.dtype_ = "float64" if double else "float32"
        return self

    def _fit_columns(self, frame: pd.DataFrame, unique_texts: bool) -> None:
        """Learn the parts of the matrix, with or without texts that hardly repeat."""
        self.parts_: list[dict[str, Any]] = []
        self.names_: list[str] = []
        self.categorical_: list[int] = []
        for name in self.columns:
            column = frame[name]
            if pd.api.types.is_datetime64_dtype(column.dtype):
                part = self._fit_times(name, column)
            elif isinstance(column.dtype, pd.StringDtype):
                part = self._fit_texts(name, column, unique_texts)
            else:
                part = self._fit_numbers(name, column)
            parts = [part] if part is not None else []
            if part is not None and part["kind"] == "number" and self.style == "scaled":
                parts += self._fit_levels(name, column)
            for part in parts:
                few = part["kind"] == "codes" and len(part["texts"]) < self.high_cardinality
                if few and self.style == "codes":
                    self.categorical_.append(len(self.names_))
                self.parts_.append(part)
                self.names_ += part["names"]

    def transform(self, frame: pd.DataFrame) -> Matrix:
        """Encode.

        Returns
        -------
        numpy array of shape (n, len(names_))
            float64, column by column, for ``codes``; float32 for ``onehot``, which trees work in;
            for ``scaled`` float64 up to ``MOST_DOUBLES`` cells in training, float32 above.
        """
        order: Any = "C" if self.style == "scaled" else "F"
        matrix: Matrix = np.empty((len(frame), len(self.names_)), dtype=self.dtype_, order=order)
        start = 0
        columns = _Columns(frame, [p["column"] for p in self.parts_ if p["kind"] == "number"])
        for part in self.parts_:
            stop = start + len(part["names"])
            out = matrix[:, start:stop]
            if part["kind"] == "number":
                _write_number(part, columns.numbers(part["column"]), out)
            else:
                WRITE[part["kind"]](part, frame[part["column"]], out)
            start = stop
        return matrix

    def get_feature_names_out(self, input_features: Any = None) -> Any:  # noqa: ARG002
        """Columns of the matrix."""
        return np.array(self.names_, dtype=object)

    def _fit_numbers(self, name: str, column: pd.Series[Any]) -> dict[str, Any] | None:
        values = _floats(column)
        missing = np.isnan(values)
        known = values[~missing] if missing.any() else values
        gaps = len(known) < len(values)
        if len(known) == 0 or (not gaps and known.min() == known.max()):
            return None
        part: dict[str, Any] = {"kind": "number", "column": name, "names": [name]}
        if self.style == "onehot":
            part["gap"] = float(np.median(known[:: max(1, len(known) // QUANTILE_ROWS)]))
        if self.style == "scaled":
            step = max(1, len(known) // QUANTILE_ROWS)
            low, high = (float(q) for q in np.quantile(known[::step], CLIP))
            if low == high:  # nearly constant: the rare values are all there is to learn from
                low, high = float(known.min()), float(known.max())
            clipped = np.clip(known, low, high)
            scale = float(clipped.std())
            part |= {
                "low": low,
                "high": high,
                "center": float(clipped.mean()),
                "scale": scale if scale > 0 else 1.0,
            }
            if gaps:
                part["names"] = [name, f"{name} missing"]
        return part

    def _fit_levels(self, name: str, column: pd.Series[Any]) -> list[dict[str, Any]]:
        values = _floats(column)
        values = values[~np.isnan(values)]
        for some in (values[:: max(1, len(values) // 1000)], values):
            levels = np.unique(some)
            if not 2 < len(levels) <= FEW_LEVELS or (levels != np.floor(levels)).any():
                return []
        names = [f"{name} = {level:g}" for level in levels]
        return [{"kind": "levels", "column": name, "names": names, "levels": levels}]

    def _fit_texts(self, name: str, column: pd.Series[Any], unique: bool) -> dict[str, Any] | None:
        counts = column.value_counts(sort=False)
        if not unique and is_nearly_unique(len(counts), int(counts.sum())):
            return None
        gaps = int(counts.sum()) < len(column)
        if len(counts) == 0 or (len(counts) == 1 and not gaps):
            return None
        pairs = sorted(
            zip(counts.tolist(), counts.index.tolist(), strict=True),
            key=lambda pair: (-pair[0], pair[1]),
        )
        texts = [text for _, text in pairs]
        hashed = False
        if self.style == "codes" or (
            self.style == "onehot" and len(texts) >= self.high_cardinality
        ):
            kind = "codes"
            if hashed := len(texts) > MOST_CODES:
                texts = texts[: MOST_CODES - BUCKETS]
        else:
            kind = "onehot"
            if hashed := len(texts) >= self.high_cardinality:
                texts = texts[: self.high_cardinality - 1]
        names = [name] if kind == "codes" else [f"{name} = {text}" for text in texts]
        if hashed and kind == "onehot":
            names += [f"{name} # {bucket}" for bucket in range(BUCKETS)]
        return {
            "kind": kind,
            "column": name,
            "names": names,
            "hashed": hashed,
            "texts": np.array(texts, dtype=str),
        }

    def _fit_times(self, name: str, column: pd.Series[Any]) -> dict[str, Any] | None:
        if column.nunique(dropna=False) < 2:
            return None
        kind, parts = ("cycles", CYCLES) if self.style == "scaled" else ("times", TREE_TIMES)
        return {"kind": kind, "column": name, "names": [f"{name} {part}" for part in parts]}


class _Columns:
    """Numbers of a frame, many columns at a time: one at a time costs more than its few rows."""

    def __init__(self, frame: pd.DataFrame, names: list[str]) -> None:
        self._frame, self._names = frame, names
        many = CELLS_AT_ONCE // max(len(frame), 1)
        self._at_once = many if many >= WORTH_IT else 1
        self._read: dict[str, NDArray[np.float64]] = {}
        self._next = 0

    def numbers(self, name: str) -> NDArray[np.float64]:
        """The next column of ``names``, as ``_floats`` gives it."""
        if not self._read:
            some = self._names[self._next : self._next + self._at_once]
            self._next += len(some)
            if len(some) == 1:
                return _floats(self._frame[name])
            values = self._frame[some].to_numpy(dtype=np.float64, na_value=np.nan)
            finite = np.isfinite(values)
            values = values if finite.all() else np.where(finite, values, np.nan)
            self._read = {one: values[:, place] for place, one in enumerate(some)}
        return self._read.pop(name)


def _floats(column: pd.Series[Any]) -> NDArray[np.float64]:
    """Values as float64; what is infinite counts as missing."""
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    finite = np.isfinite(values)
    return values if finite.all() else np.where(finite, values, np.nan)


def _write_number(part: dict[str, Any], values: NDArray[np.float64], out: Matrix) -> None:
    if "scale" not in part:
        if "gap" in part:
            values = np.where(np.isnan(values), part["gap"], values)
        if out.dtype == np.float32:
            limit = np.finfo(np.float32).max
            values = np.clip(values, -limit, limit)
        out[:, 0] = values
        return
    missing = np.isnan(values)
    scaled = (np.clip(values, part["low"], part["high"]) - part["center"]) / part["scale"]
    out[:, 0] = np.where(missing, 0.0, scaled)
    if len(part["names"]) == 2:
        out[:, 1] = missing


def _write_levels(part: dict[str, Any], column: pd.Series[Any], out: Matrix) -> None:
    np.equal(_floats(column)[:, None], part["levels"][None, :], out=out, casting="unsafe")


def _codes(part: dict[str, Any], column: pd.Series[Any]) -> NDArray[np.int64]:
    """Each text's position in ``part["texts"]``, its bucket after them, or -1."""
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = part["texts"]
    array = pa.chunked_array([pa.array(column, type=pa.string())])
    found = pc.index_in(array, value_set=pa.array(texts.tolist(), pa.string()))
    codes: NDArray[np.int64] = pc.fill_null(found, -1).to_numpy().astype(np.int64)
    if part["hashed"]:
        rare = np.flatnonzero((codes < 0) & column.notna().to_numpy())
        if len(rare):
            places, kinds = pd.factorize(column.iloc[rare])
            buckets = np.array([zlib.crc32(text.encode()) % BUCKETS for text in kinds.tolist()])
            codes[rare] = len(texts) + buckets[places]
    return codes


def _write_codes(part: dict[str, Any], column: pd.Series[Any], out: Matrix) -> None:
    codes = _codes(part, column)
    out[:, 0] = np.where(codes < 0, np.nan, codes)


def _write_onehot(part: dict[str, Any], column: pd.Series[Any], out: Matrix) -> None:
    codes = _codes(part, column)
    out[:] = 0
    known = np.flatnonzero(codes >= 0)
    out[known, codes[known]] = 1


def _write_times(part: dict[str, Any], column: pd.Series[Any], out: Matrix) -> None:  # noqa: ARG001
    when = column.dt
    out[:, 0] = when.hour + when.minute / 60
    out[:, 1] = when.weekday
    out[:, 2] = when.day
    out[:, 3] = when.month


def _write_cycles(part: dict[str, Any], column: pd.Series[Any], out: Matrix) -> None:  # noqa: ARG001
    days = _days(column)
    for position, period in enumerate((1.0, 0.5, 7.0)):
        angle = 2 * np.pi * np.mod(days, period) / period
        out[:, 2 * position] = np.nan_to_num(np.sin(angle))
        out[:, 2 * position + 1] = np.nan_to_num(np.cos(angle))


def _days(column: pd.Series[Any]) -> NDArray[np.float64]:
    """Days since 1970; NaN where missing."""
    days = column.to_numpy().astype("datetime64[us]").astype(np.int64) / 86_400_000_000.0
    return np.where(column.isna().to_numpy(), np.nan, days)


WRITE = {
    "levels": _write_levels,
    "codes": _write_codes,
    "onehot": _write_onehot,
    "times": _write_times,
    "cycles": _write_cycles,
}
"""Kind of part → what fills its columns of the matrix."""
