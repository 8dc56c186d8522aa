"""Permutation importance of raw columns: how much worse the candidate gets without each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from everfit.ml.scoring.resampling import Floats

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 2_000
REPEATS = 2
PREDICTIONS = 100_000
"""Rows predicted in all: with very many columns, fewer rows are looked at."""
AT_ONCE = 20_000
"""Rows predicted in one call, which bounds memory."""


def permutation_importances(
    frame: pd.DataFrame,
    columns: Sequence[str],
    predict: Callable[[pd.DataFrame], Floats],
    score: Callable[[Floats], float],
    *,
    greater_is_better: bool,
    seed: int,
) -> dict[str, float]:
    """Mean loss of score when a column is shuffled, over ``REPEATS`` shuffles.

    Parameters
    ----------
    frame : (n, ...) DataFrame
        Raw rows; a small sample (``rows_for``).
    columns : sequence of str
        Columns to shuffle.
    predict : callable
        Frame → scores of its rows.
    score : callable
        Scores of the n rows → metric.
    greater_is_better : bool
        Of the metric.
    seed : int

    Returns
    -------
    dict
        column → importance in the metric's unit; positive where the column helps, NaN where it
        cannot be said. In the order of ``columns``.

    References
    ----------
    .. [1] Breiman, "Random Forests", Machine Learning 45, 2001, section 10.
    """
    import pandas as pd

    n = len(frame)
    sign = 1.0 if greater_is_better else -1.0
    whole = score(predict(frame))
    at_once = max(AT_ONCE // max(n * REPEATS, 1), 1)
    found: dict[str, float] = {}
    for start in range(0, len(columns), at_once):
        group = list(columns[start : start + at_once])
        pieces = []
        for position, column in enumerate(group, start):
            for repeat in range(REPEATS):
                order = np.random.default_rng([seed, 3, position, repeat]).permutation(n)
                shuffled = frame[column].take(order)
                shuffled.index = frame.index
                pieces.append(frame.assign(**{column: shuffled}))
        scores = predict(pd.concat(pieces, ignore_index=True))
        for place, column in enumerate(group):
            parts = [
                score(scores[(place * REPEATS + r) * n : (place * REPEATS + r + 1) * n])
                for r in range(REPEATS)
            ]
            found[column] = sign * (whole - float(np.mean(parts))) + 0.0  # never -0.0
    return found


def rows_for(columns: int, rows: int) -> int:
    """How many rows to look at."""
    return min(rows, MOST_ROWS, max(PREDICTIONS // max(columns * REPEATS, 1), 100))


def sample_rows(digests: np.typing.NDArray[np.uint64], size: int) -> np.typing.NDArray[np.int64]:
    """The rows with the smallest digests, in the table's order.

    Digests are hashes of content, so the choice is as good as random, the same on every machine,
    and does not depend on the order of rows.

    Parameters
    ----------
    digests : (n,) uint64 array
    size : int

    Returns
    -------
    (min(size, n),) int64 array of row positions
    """
    chosen = np.argsort(digests, kind="stable")[:size]
    return np.sort(chosen).astype(np.int64)
