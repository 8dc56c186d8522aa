"""Derived columns, computed inside the model from the spec's safe expressions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from everfit.data.tables.evaluate_expression import evaluate

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class DerivedColumns(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Add a column per expression, in order: a later one may read an earlier one.

    The spec puts them in that order, whatever order they were written in.

    Parameters
    ----------
    expressions : dict of str to str
        New column → expression of ``contracts.expression``.
    """

    def __init__(self, expressions: dict[str, str]) -> None:
        self.expressions = expressions

    def fit(self, frame: pd.DataFrame, y: ArrayLike | None = None) -> Self:  # noqa: ARG002
        """Nothing is learnt from the rows; an expression that does not fit them shows here."""
        self.columns_ = [*map(str, frame.columns), *self.expressions]
        self.transform(frame.iloc[:1000])
        return self

    def transform(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The frame with the new columns added; booleans become 1.0, 0.0 and NaN."""
        frame = frame.copy(deep=False)
        for name, text in self.expressions.items():
            value = evaluate(text, frame)
            if isinstance(value.dtype, pd.BooleanDtype):
                value = value.astype("float64")
            frame[name] = value
        return frame

    def get_feature_names_out(self, input_features: Any = None) -> Any:  # noqa: ARG002
        """The columns that came in, then the new ones."""
        return np.array(self.columns_, dtype=object)
