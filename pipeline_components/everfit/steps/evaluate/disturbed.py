"""Stability: the effect of small changes of the inputs, and of missing inputs, on predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from everfit.contracts.errors import EverfitError, Unavailable, told
from everfit.contracts.messages.evidence import Disturbed
from everfit.contracts.messages.training import ColumnRole
from everfit.ml.scoring.resampling import Floats

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["noise", "missing"]

NOISE_ROWS = 2_000
"""Rows the metric is compared on."""
MISSING_ROWS = 500
"""Rows predicted without a feature: the question is whether there is a prediction."""
MOST_FEATURES = 50
"""Features taken away one at a time: the most important ones."""


def disturbed(
    frame: pd.DataFrame,
    columns: Sequence[ColumnRole],
    predict: Callable[[pd.DataFrame], Floats],
    score: Callable[[Floats, int], float],
    *,
    importances: Mapping[str, float],
    noise: float,
    greater_is_better: bool,
    seed: int,
) -> tuple[Disturbed, ...]:
    """Predict the same rows with disturbed inputs.

    Parameters
    ----------
    frame : (n, ...) DataFrame
        Raw rows in an order that has nothing to do with what is in them: the first of them stand
        for all. At most ``NOISE_ROWS``.
    columns : sequence of ColumnRole
        The features.
    predict : callable
        Frame → scores of its rows.
    score : callable
        Scores of the first rows, and how many → metric; NaN where it is undefined.
    importances : mapping
        Feature → permutation importance; the features it lacks come last.
    noise : float
        Standard deviation of what is added, as a share of each number's own.
    greater_is_better : bool
        Of the metric.
    seed : int

    Returns
    -------
    tuple of Disturbed
        ``noise``, where a feature is a number, then up to ``MOST_FEATURES`` missing features.
    """
    if not len(frame):
        return ()
    sign = 1.0 if greater_is_better else -1.0
    frame = frame.copy()  # columns of one type side by side: many of them are read at once
    few = frame.iloc[:MISSING_ROWS]
    usual = predict(frame)
    before = {rows: _number(score(usual[:rows], rows)) for rows in (len(frame), len(few))}

    def compare(what: str, kind: Kind, changed: pd.DataFrame) -> Disturbed:
        rows = len(changed)
        usually = before[rows]
        scores, trouble = _predictions(predict, changed)
        after = worse = None
        if scores is not None and usually is not None:
            after = _number(score(scores, rows))
            worse = None if after is None else sign * (usually - after) + 0.0  # never -0.0
        return Disturbed(
            what=what,
            kind=kind,
            rows=rows,
            before=usually,
            after=after,
            worse=worse,
            trouble=trouble,
        )

    numbers = [role for role in columns if role.type in ("integer", "float")]
    found = []
    if numbers:
        changed = frame.assign(
            **{
                role.name: noisy(frame[role.name], role.type, noise, [seed, 5, place])
                for place, role in enumerate(numbers)
            }
        )
        found.append(compare("noise", "noise", changed))
    ranked = sorted(columns, key=lambda role: (-importances.get(role.name, -np.inf), role.name))
    for role in ranked[:MOST_FEATURES]:
        without = few.assign(**{role.name: missing(len(few), role.type, few.index)})
        found.append(compare(role.name, "missing", without))
    return tuple(found)


def noisy(column: pd.Series[Any], kind: str, noise: float, seed: Sequence[int]) -> pd.Series[Any]:
    """A column of numbers with Gaussian noise; whole numbers stay whole.

    Missing and infinite values stay as they are, and so does a column with less than two others.

    Parameters
    ----------
    column : Series of n numbers
    kind : {"integer", "float"}
    noise : float
        Standard deviation of what is added, as a share of the column's own.
    seed : sequence of int
    """
    import pandas as pd

    values = column.to_numpy(np.float64, na_value=np.nan)
    finite = np.isfinite(values)
    if finite.sum() < 2:
        return column
    with np.errstate(over="ignore", invalid="ignore"):
        spread = float(np.std(values[finite]))
        drawn = np.random.default_rng(list(seed)).normal(size=len(values))
        changed = np.where(finite, values + noise * spread * drawn, values)
    changed = np.where(np.isfinite(changed), changed, values)
    if kind == "integer":
        changed = np.rint(changed)
        if pd.api.types.is_integer_dtype(column.dtype) and (np.abs(changed) < 2.0**53).all():
            return pd.Series(changed.astype(np.int64), index=column.index)
    return pd.Series(changed, index=column.index)


def missing(rows: int, kind: str, index: Any) -> pd.Series[Any]:
    """A column of missing values, of the type that a table gives it then.

    Parameters
    ----------
    rows : int
    kind : {"string", "timestamp", "integer", "float", "boolean"}
    index : Index of n rows
    """
    import pandas as pd

    if kind == "string":
        return pd.Series([None] * rows, index=index, dtype="str")
    if kind == "timestamp":
        return pd.Series(pd.NaT, index=index, dtype="datetime64[us]")
    return pd.Series(np.nan, index=index, dtype=np.float64)


def _predictions(
    predict: Callable[[pd.DataFrame], Floats], frame: pd.DataFrame
) -> tuple[Floats | None, str]:
    """Scores, or why there are no finite ones."""
    try:
        scores = predict(frame)
    except (Unavailable, MemoryError):
        raise
    except EverfitError as error:
        return None, f"{error.code}: {error.must}"
    except Exception as error:  # any model may fail in any way on rows it was not made for
        return None, told(error)
    strange = int((~np.isfinite(scores.reshape(len(frame), -1)).all(axis=1)).sum())
    if strange:
        return None, f"{strange:,} of {len(frame):,} predictions are not finite"
    return scores, ""


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
