"""How closely columns go along with predictions: numbers, times, flags and texts on one scale.

0 is no association and 1 that one tells the other. Of a column with an order it is the size of
Spearman's rank correlation; of a text, the root of what its values explain of the predictions'
ranks, chance taken off (epsilon squared [1]_). Of a text the ``LEVELS`` - 1 most frequent values
count, and the others as one. Sums are of whole numbers: the same bits on every machine.

References
----------
.. [1] Kelley, T. L. (1935). An unbiased correlation ratio measure. PNAS 21, 554-559.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from everfit.ml.scoring.resampling import Floats

if TYPE_CHECKING:
    import pandas as pd

LEVELS = 20
FEWEST = 20
"""Rows with a value; with fewer nothing is said, and the association is 0."""


def along_with(frame: pd.DataFrame, scores: Floats) -> dict[str, float]:
    """Association of each column with a model's predictions; of classes, with the one it has most.

    Parameters
    ----------
    frame : (n, p) DataFrame
        Numbers, flags, times and texts.
    scores : (n,) or (n, k) array
        Predictions, or probabilities of k classes; finite.

    Returns
    -------
    dict
        column → 0 to 1; 0 where fewer than ``FEWEST`` rows have a value.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"up": range(40), "same": [1] * 40, "half": ["a", "b"] * 20})
    >>> {name: round(found, 2) for name, found in along_with(frame, -frame["up"] ** 3).items()}
    {'up': 1.0, 'same': 0.0, 'half': 0.0}
    """
    import pandas as pd

    against = _ranks(pd.DataFrame(np.asarray(scores, np.float64).reshape(len(frame), -1)))
    texts = {
        name: frame[name]
        for name, kind in frame.dtypes.items()
        if not pd.api.types.is_numeric_dtype(kind)
        and not pd.api.types.is_datetime64_any_dtype(kind)
    }
    ordered = [name for name in frame.columns if name not in texts]
    found = dict.fromkeys(map(str, frame.columns), 0.0)
    if ordered:
        strongest = _spearman(_ranks(frame[ordered]), against).max(axis=1)
        found |= dict(zip(map(str, ordered), strongest.tolist(), strict=True))
    found |= {str(name): _epsilon(_levels(column), against) for name, column in texts.items()}
    return found


def _ranks(frame: pd.DataFrame) -> Floats:
    """Twice the rank of each value, a whole number; 0 where missing. Shape (n, p)."""
    from scipy.stats import rankdata

    ranks = np.zeros(frame.shape)
    for place, name in enumerate(frame.columns):
        column = frame[name]
        if column.dtype.kind == "M":
            column = column.astype("int64").where(column.notna())
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        held = ~np.isnan(values)
        ranks[held, place] = 2 * rankdata(values[held])
    return ranks


def _spearman(ranks: Floats, against: Floats) -> Floats:
    """Size of the correlation of ranks over the rows that have a value; (p, k)."""
    there = np.asarray(ranks > 0, dtype=np.float64)
    n = there.sum(axis=0)[:, None]
    sums, others = ranks.sum(axis=0)[:, None], there.T @ against
    with np.errstate(all="ignore"):
        shared = n * (ranks.T @ against) - sums * others
        spread = n * (ranks**2).sum(axis=0)[:, None] - sums**2
        spread = spread * (n * (there.T @ against**2) - others**2)
        found = np.abs(shared) / np.sqrt(spread)
    return np.where((n >= FEWEST) & (spread > 0), np.minimum(found, 1.0), 0.0)


def _levels(column: pd.Series[Any]) -> Floats:
    """An indicator of each frequent value, and of all others; (n, k), zeros where missing."""
    import pandas as pd

    codes, _ = pd.factorize(column, sort=True)
    counts = np.bincount(codes[codes >= 0], minlength=1)
    ranked = np.argsort(-counts, kind="stable")
    level = np.full(len(counts) + 1, -1)  # the last one: where missing
    level[ranked] = np.minimum(np.arange(len(ranked)), LEVELS - 1)
    placed = level[codes][:, None]
    return np.asarray(placed == np.arange(placed.max(initial=0) + 1), dtype=np.float64)


def _epsilon(levels: Floats, against: Floats) -> float:
    """Root of epsilon squared: what a text explains of the ranks, at most over the classes."""
    counts = levels.sum(axis=0)
    n, used = float(counts.sum()), int((counts > 0).sum())
    if n < FEWEST or n <= used:
        return 0.0
    kept = levels[:, counts > 0]
    sums, total = kept.T @ against, (kept.T @ against).sum(axis=0)
    squares = kept.sum(axis=1) @ against**2
    with np.errstate(all="ignore"):
        within = squares - (sums**2 / counts[counts > 0][:, None]).sum(axis=0)
        around = squares - total**2 / n
        share = 1 - (within / (n - used)) / (around / (n - 1))
        found = np.where(around > 0, np.sqrt(np.clip(share, 0.0, 1.0)), 0.0)
    return float(found.max())
