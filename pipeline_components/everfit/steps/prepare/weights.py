"""The weight of each row: finite, at least 0, and not 0 for all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from everfit.contracts.errors import SourceError
from everfit.contracts.messages.training import Weights
from everfit.contracts.spec.expression import columns_of
from everfit.data.tables.evaluate_expression import evaluate
from everfit.data.tables.frames import to_frame
from everfit.ml.scoring.resampling import Floats, Integers, effective


def row_weights(batch: Any, weight: str, span: str) -> Floats:
    """Weights of the rows of a batch.

    Parameters
    ----------
    batch : pyarrow.RecordBatch or Table of n rows
        Holds every column that the weight reads.
    weight : str
        An expression over columns.
    span : str
        For errors.

    Returns
    -------
    (n,) float64 array

    Raises
    ------
    SourceError
        If one is no finite number of at least 0.
    """
    frame = to_frame(batch.select(sorted(columns_of(weight))))
    found = evaluate(weight, frame)
    if isinstance(found.dtype, pd.BooleanDtype):
        found = found.astype("float64")
    if found.dtype != "float64":
        raise _refuse(f"span {span}", weight, "it gives texts or times", "Name a column of numbers")
    values = found.to_numpy(np.float64)
    wrong = ~(np.isfinite(values) & (values >= 0))
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        shown = "missing" if np.isnan(values[first]) else f"{values[first]:g}"
        read = ", ".join(f"{name} = {frame[name].iloc[first]}" for name in frame)
        raise _refuse(
            f"span {span}",
            weight,
            f"{int(wrong.sum()):,} of {len(values):,} rows have another: the first is {shown} "
            f"({read})",
            "Correct the column, or leave such rows out by validation.rows",
        )
    return values


def in_units_of_training(
    weight: Floats, train: Integers, holdout: Integers, text: str
) -> tuple[Floats, Weights]:
    """The same in units of the training rows' mean, and what both tables are worth.

    Only ratios of weights count: in these units estimators have the penalties and least weights
    of a leaf that they would have without.

    Parameters
    ----------
    weight : (n,) float64 array
    train, holdout : int arrays
        Places of the rows of either table.
    text : str
        The spec's weight.

    Raises
    ------
    SourceError
        If all rows of a table have weight 0, or their sum is no finite number.
    """
    for what, places in (("training", train), ("holdout", holdout)):
        with np.errstate(over="ignore"):
            total = float(weight[places].sum())
        if not total or not np.isfinite(total):
            raise _refuse(
                f"{what} rows",
                text,
                f"all {len(places):,} have weight 0" if not total else "their sum is infinite",
                "Correct weight, or widen the window or the holdout"
                if not total
                else "Write smaller weights: only their ratios count",
            )
    mean = float(weight[train].mean())
    worth = (float(effective(weight[places])) for places in (train, holdout))
    return weight / mean, Weights(by=text, train=next(worth), holdout=next(worth))


def _refuse(where: str, weight: str, found: str, todo: str) -> SourceError:
    return SourceError(
        "PREPARE-WEIGHT",
        f"{where}, weight {weight!r}",
        "a weight is a finite number of at least 0, and some are above 0",
        found,
        todo,
    )
