"""What comes before the estimator: raw rows to typed rows to a matrix of numbers."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from everfit.contracts.messages.training import TrainRequest
from everfit.ml.families.resolve import ReadyFamily
from everfit.ml.model.derived_columns import DerivedColumns
from everfit.ml.model.raw_columns import RawColumns
from everfit.ml.model.table_encoder import TableEncoder


@dataclass(frozen=True)
class Preparation:
    """The steps before the estimator: stateless ones built once, the encoder anew per fold."""

    raw: RawColumns
    derived: DerivedColumns | None
    features: list[str]
    encoding: str
    high_cardinality: int

    def apply(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Raw rows to typed rows with the derived columns."""
        typed = self.raw.transform(frame)
        return typed if self.derived is None else self.derived.transform(typed)

    def encoder(self) -> TableEncoder:
        """A fresh encoder."""
        return TableEncoder(self.features, self.encoding, self.high_cardinality)


def preparation(request: TrainRequest, frame: pd.DataFrame, family: ReadyFamily) -> Preparation:
    """Choose the columns that the model reads and those that it encodes.

    An entity column is read where an expression needs it, and never encoded itself.

    Parameters
    ----------
    request : TrainRequest
    frame : DataFrame of n rows
        The training table; its types are learnt, its rows are not.
    family : ReadyFamily
        It says how to encode.
    """
    read = {c.name: c.type for c in request.columns if c.role == "feature"}
    raw = RawColumns(read).fit(frame)
    derive = request.features.derive
    derived = None
    if derive:
        derived = DerivedColumns(dict(derive)).fit(raw.transform(frame.iloc[:1000]))
    features = [name for name in read if name not in request.entity and name not in derive]
    return Preparation(
        raw, derived, [*features, *derive], family.encoding, request.features.high_cardinality
    )
