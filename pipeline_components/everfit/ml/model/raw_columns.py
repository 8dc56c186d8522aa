"""The first step of every model: any table in, the columns and types of training out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from everfit.contracts.errors import SourceError, shortlist

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class RawColumns(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Select columns by name and coerce them to their types in training.

    Extra columns are ignored and the order does not matter. What cannot be read as the column's
    type becomes missing: a text in a number column, an unreadable date. A column that is absent
    altogether is an error, because a model that silently does without it is wrong for every row.

    Parameters
    ----------
    columns : dict of str to str
        Column → ``integer``, ``float``, ``string``, ``boolean`` or ``timestamp``.
    """

    def __init__(self, columns: dict[str, str]) -> None:
        self.columns = columns

    def fit(self, frame: pd.DataFrame, y: ArrayLike | None = None) -> Self:  # noqa: ARG002
        """Note the columns; nothing is learnt from the rows."""
        self.feature_names_in_ = np.array(list(self.columns), dtype=str).astype(object)
        self.n_features_in_ = len(self.columns)
        return self

    def transform(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Give the columns of training, in their order and types.

        Raises
        ------
        SourceError
            If a column is absent.
        """
        absent = [name for name in self.columns if name not in frame.columns]
        if absent:
            raise SourceError(
                "MODEL-COLUMNS",
                "the rows to predict",
                f"every column of training must be there ({len(self.columns)} columns)",
                f"{shortlist(absent)} missing",
                "Add the column; leave it empty where the value is unknown",
            )
        kinds = dict(zip(frame.columns, frame.dtypes, strict=True))
        if all(_has_its_type(kinds[name], kind) for name, kind in self.columns.items()):
            return frame[list(self.columns)]  # column by column it takes ten times as long
        return pd.DataFrame(
            {name: coerce(frame[name], kind) for name, kind in self.columns.items()},
            index=frame.index,
            copy=False,
        )

    def get_feature_names_out(self, input_features: Any = None) -> Any:  # noqa: ARG002
        """The columns of training."""
        return np.array(list(self.columns), dtype=object)


def _has_its_type(dtype: Any, kind: str) -> bool:
    """Whether ``coerce`` would give such a column as it is."""
    if kind == "string":
        return isinstance(dtype, pd.StringDtype)
    if kind == "timestamp":
        return bool(dtype == np.dtype("datetime64[us]"))
    return isinstance(dtype, np.dtype) and dtype.kind in "biuf"


def coerce(column: pd.Series[Any], kind: str) -> pd.Series[Any]:
    """One column as ``kind``; numbers and booleans as ``float64``, ``int64`` or ``bool``.

    What already has the type is returned as it is, without a copy.
    """
    dtype = column.dtype
    if kind == "string":
        if isinstance(dtype, pd.StringDtype):
            return column
        if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype):
            return _number_texts(column)
        return column.astype("str").where(column.notna())
    if kind == "timestamp":
        return _timestamps(column)
    if isinstance(dtype, np.dtype) and dtype.kind in "biuf":
        return column
    if pd.api.types.is_bool_dtype(dtype) or isinstance(dtype, pd.BooleanDtype):
        return column.astype("float64")
    if kind == "boolean" and not pd.api.types.is_numeric_dtype(dtype):
        known = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0, "1.0": 1.0, "0.0": 0.0}
        return column.astype("str").str.lower().map(known).astype("float64")
    return pd.to_numeric(column, errors="coerce").astype("float64")


def _number_texts(column: pd.Series[Any]) -> pd.Series[Any]:
    """Write whole numbers without a point: an integer column with gaps is read as floats."""
    texts = [
        None if pd.isna(v) else str(int(v)) if float(v).is_integer() else str(v)
        for v in column.tolist()
    ]
    return pd.Series(texts, index=column.index, dtype="str")


def _timestamps(column: pd.Series[Any]) -> pd.Series[Any]:
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    elif not pd.api.types.is_datetime64_dtype(column.dtype):
        if pd.api.types.is_numeric_dtype(column.dtype):
            return pd.Series(pd.NaT, index=column.index, dtype="datetime64[us]")
        column = pd.to_datetime(column, errors="coerce", format="ISO8601", utc=True)
        column = column.dt.tz_localize(None)
    return column.astype("datetime64[us]")
