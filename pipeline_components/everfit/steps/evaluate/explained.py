"""How much of the target one column explains, or two: a copy of it among the features is found.

A shallow tree on one half of a sample of the holdout, or a straight line where that does better,
is scored on the other half. Pairs are taken of the columns that matter most to the candidate: where
two columns hide the target between them, the candidate has found both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from everfit.contracts.messages.evidence import Explained, Explanation
from everfit.ml.scoring.resampling import Floats, Integers
from everfit.ml.scoring.scored import Scored

if TYPE_CHECKING:
    import pandas as pd

ROWS = 4_000
"""At most so many rows are looked at."""
CELLS = 1_000_000
"""Values looked at in all: with very many columns, fewer rows are."""
FEWEST = 40
FEW_ROWS = 400
"""Looked at however many columns there are."""
LEAVES = 256
LEAF_ROWS = 5
PAIRED = 6
"""Pairs of so many columns are tried."""
CLASSES = 20
"""Of the most common ones; the others are taken as one."""
SMOOTHING = 2.0
"""Rows of the mean that each text's own mean is mixed with."""


def explained(
    frame: pd.DataFrame,
    scored: Mapping[str, Scored],
    features: Sequence[str],
    importances: Mapping[str, float],
    chosen: Integers,
) -> Explanation | None:
    """The shares of the target that models and columns explain.

    Parameters
    ----------
    frame : (n, ...) DataFrame
        The holdout.
    scored : mapping
        ``candidate``, and ``baseline`` where a champion was scored, on its rows.
    features : sequence of str
    importances : mapping
        feature → permutation importance.
    chosen : (m,) int array
        Rows to look at, in an order as good as random: the first half to fit on.

    Returns
    -------
    Explanation or None
        None with fewer than ``FEWEST`` rows, where the target is the same on all of them, or where
        the candidate's predictions are not finite.
    """
    if len(chosen) < FEWEST or scored["candidate"].not_finite:
        return None
    values = _target(scored["candidate"])[chosen]
    half = len(chosen) // 2
    if not values[half:].std(axis=0).any() or not values[:half].std(axis=0).any():
        return None
    rows = frame.iloc[chosen]
    matrices = {name: _numbers(rows[name], values, half) for name in features}
    singles = [
        Explained(columns=(n,), share=_share([m], values, half)) for n, m in matrices.items()
    ]
    matter = sorted(features, key=lambda name: -importances.get(name, 0.0))[:PAIRED]
    pairs = [
        Explained(columns=two, share=_share([matrices[name] for name in two], values, half))
        for two in combinations(matter, 2)
    ]
    baseline = scored.get("baseline")
    return Explanation(
        rows=len(chosen) - half,
        candidate=_of_model(scored["candidate"], chosen[half:]),
        baseline=None
        if baseline is None or baseline.not_finite
        else _of_model(baseline, chosen[half:]),
        column=max(singles, key=lambda one: one.share, default=None),
        pair=max(pairs, key=lambda one: one.share, default=None),
    )


def rows_for(columns: int) -> int:
    """How many rows to look at, at most."""
    return min(ROWS, max(CELLS // max(columns, 1), FEW_ROWS))


def _target(scored: Scored) -> Floats:
    """The target, or an indicator of each common class: (n, outputs)."""
    if scored.task == "regression":
        return np.asarray(scored.truth, dtype=np.float64)[:, None]
    codes = scored.truth.astype(np.int64)
    common = np.argsort(-np.bincount(codes), kind="stable")[:CLASSES]
    return np.asarray(codes[:, None] == common[None, :], dtype=np.float64)


def _of_model(scored: Scored, rows: Integers) -> float:
    """The share that a model's own predictions explain on some rows."""
    part = scored.part(rows)
    if part.task == "regression":
        truth, predicted = part.truth[:, None], part.prediction[:, None]
    else:
        predicted = part.scores
        truth = (part.truth[:, None] == np.arange(predicted.shape[1])[None, :]).astype(np.float64)
    return _explains(np.asarray(truth, dtype=np.float64), predicted)


def _explains(truth: Floats, predicted: Floats) -> float:
    around = float(((truth - truth.mean(axis=0)) ** 2).sum())
    return 1 - float(((truth - predicted) ** 2).sum()) / around if around else 0.0


def _numbers(column: Any, values: Floats, half: int) -> Floats:
    """A column as numbers; a text as the mean of the target where it stood in the first half."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column):
        return np.asarray(column.astype("int64"), dtype=np.float64)[:, None]
    if pd.api.types.is_numeric_dtype(column):
        numbers = column.to_numpy(np.float64, na_value=np.nan)
        return np.where(np.isfinite(numbers), numbers, np.nan)[:, None]
    codes, kinds = pd.factorize(column)
    codes = np.where(codes < 0, len(kinds), codes)
    mean = values[:half].mean(axis=0)
    counts = np.bincount(codes[:half], minlength=len(kinds) + 1)
    sums = np.stack(
        [np.bincount(codes[:half], one, len(kinds) + 1) for one in values[:half].T], axis=1
    )
    means = (sums + SMOOTHING * mean) / (counts[:, None] + SMOOTHING)
    return np.asarray(means[codes])


def _share(columns: Sequence[Floats], values: Floats, half: int) -> float:
    """What they explain of the second half when fitted on the first; at least 0."""
    from sklearn.tree import DecisionTreeRegressor

    matrix = np.column_stack(list(columns))
    known = np.isfinite(matrix[:half]).any(axis=0)  # a column without a value has no mean
    if not known.any():
        return 0.0
    matrix = matrix[:, known]
    tree = DecisionTreeRegressor(
        max_leaf_nodes=LEAVES, min_samples_leaf=LEAF_ROWS, random_state=0
    ).fit(matrix[:half], values[:half])
    by_tree = tree.predict(matrix[half:]).reshape(len(matrix) - half, -1)
    mean, spread = np.nanmean(matrix[:half], axis=0), np.nanstd(matrix[:half], axis=0)
    with np.errstate(all="ignore"):
        scaled = np.nan_to_num((matrix - mean) / np.where(spread > 0, spread, 1.0))
    design = np.column_stack([np.ones(len(scaled)), scaled, scaled.prod(axis=1)])
    line, *_ = np.linalg.lstsq(design[:half], values[:half], rcond=None)
    by_line = design[half:] @ line
    return max(_explains(values[half:], by_tree), _explains(values[half:], by_line), 0.0)
