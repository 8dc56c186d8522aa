"""Slices nobody declared: a shallow tree on the loss difference, tested on rows it has not seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from everfit.contracts.messages.evidence import SliceScore, SliceSearch
from everfit.contracts.messages.training import ColumnRole
from everfit.contracts.spec.metrics import METRICS
from everfit.data.tables.evaluate_expression import is_true
from everfit.ml.scoring.metric_sums import exact_score
from everfit.ml.scoring.resampling import Design, Floats, dealt, time_blocks
from everfit.ml.scoring.scored import Scored
from everfit.ml.scoring.tails import FEWEST_UNITS
from everfit.steps.evaluate.slices import Slice, SliceRules, score_slice
from everfit.steps.evaluate.tree_columns import Branch, TreeColumn, expression, tree_columns

if TYPE_CHECKING:
    import pandas as pd

DEPTH = 3
LEAF_ROWS = 100
"""At least so many rows a leaf has."""
TEST_ROWS = 50
"""At least so many a test needs: a leaf has about as many rows on the other half."""
LEAF_SHARE = 0.05
FEWEST_ROWS = 1_000
"""Of a holdout; with fewer, half of it shows nothing worth a test."""
CELLS = 4_000_000
"""Of the matrix a tree is fitted on; where there are more columns, fewer rows are fitted."""


def found_slices(
    frame: pd.DataFrame,
    columns: Sequence[ColumnRole],
    scored: Mapping[str, Scored],
    losses: Mapping[str, Floats],
    rules: SliceRules,
) -> tuple[tuple[SliceScore, ...], SliceSearch, list[str]]:
    """Look for rows on which the candidate is worse, and test them on other rows.

    Half of the independent units of the holdout grow the tree; its leaves on which the candidate
    is worse than allowed are scored on the other half alone. So the p-values know nothing of the
    search, and dependent rows are never on both sides.

    Parameters
    ----------
    frame : (n, ...) DataFrame
        Raw holdout rows.
    columns : sequence of ColumnRole
        The features.
    scored : mapping
        ``candidate`` and, where it could be scored, ``baseline``.
    losses : mapping
        ``candidate`` and ``baseline`` → (n,) row losses.
    rules : SliceRules

    Returns
    -------
    slices : tuple of SliceScore
        Of kind ``found``, scored on the testing half.
    search : SliceSearch
    not_finite : list of str
    """
    difference = losses["candidate"] - losses["baseline"]
    why = _obstacle(difference, scored, rules.design)
    if why:
        return (), SliceSearch(why=why), []
    fitting = halves(rules.design)
    seen = np.flatnonzero(fitting)
    known = tree_columns(frame.iloc[seen], columns)
    if not known:
        return (), SliceSearch(why="no feature can be divided by"), []
    weight = rules.design.weight
    tree = _grown(
        known, difference[seen], rules.design.seed, None if weight is None else weight[seen]
    )
    worse = list(_worse(tree, known, frame.iloc[seen], _parts(scored, fitting), rules))
    found, bad = [], []
    for number, where in enumerate(worse, 1):
        mask = is_true(where, frame) & ~fitting
        one, strange = score_slice(
            Slice(f"found {number}", where, mask, TEST_ROWS, "found"), scored, rules
        )
        found.append(one)
        bad += strange
    search = SliceSearch(
        fitted=len(seen),
        tested=len(frame) - len(seen),
        leaves=int(tree.n_leaves),
        worse=len(worse),
    )
    return tuple(found), search, sorted(bad)


def halves(design: Design) -> NDArray[np.bool_]:
    """Rows the tree is fitted on: half of the units, drawn from the seed. Shape (n,)."""
    unit = _units(design)
    units = int(unit.max(initial=-1)) + 1
    chosen: NDArray[np.bool_] = np.zeros(units, dtype=bool)
    chosen[np.random.default_rng([design.seed, 3]).permutation(units)[: (units + 1) // 2]] = True
    return np.asarray(chosen[unit])


def _units(design: Design) -> Any:
    if design.kind == "time blocks":
        return time_blocks(design.rows)
    rows = np.arange(design.rows) if design.kind == "rows" else design.entity
    assert rows is not None  # "entities" is only chosen where there are some
    return dealt(rows, design.seed)


def _obstacle(difference: Floats, scored: Mapping[str, Scored], design: Design) -> str:
    if "candidate" not in scored or "baseline" not in scored:
        return "the baseline could not be scored"
    if not np.isfinite(difference).all():
        return "not every row loss is finite"
    if design.rows < FEWEST_ROWS:
        return f"{design.rows:,} holdout rows are too few, {FEWEST_ROWS:,} are needed"
    units = int(_units(design).max()) + 1
    if units < 2 * FEWEST_UNITS:
        return f"{units:,} independent {design.kind} are too few, {2 * FEWEST_UNITS} are needed"
    return ""


def _grown(
    columns: Sequence[TreeColumn], difference: Floats, seed: int, weight: Floats | None
) -> Any:
    from sklearn.tree import DecisionTreeRegressor

    rows = difference.size
    some = np.arange(rows)
    if rows * len(columns) > CELLS:
        kept = max(CELLS // len(columns), FEWEST_ROWS // 2)
        some = np.arange(kept) * rows // kept if kept < rows else some
    matrix = np.column_stack([column.values[some] for column in columns])
    leaf = int(max(LEAF_ROWS * some.size / rows, LEAF_SHARE * some.size, 1))
    tree = DecisionTreeRegressor(max_depth=DEPTH, min_samples_leaf=leaf, random_state=seed)
    return tree.fit(matrix, difference[some], None if weight is None else weight[some]).tree_


def _parts(scored: Mapping[str, Scored], mask: Any) -> dict[str, Scored]:
    return {who: scored[who].part(mask) for who in ("candidate", "baseline")}


def _worse(
    tree: Any,
    columns: Sequence[TreeColumn],
    frame: pd.DataFrame,
    scored: Mapping[str, Scored],
    rules: SliceRules,
) -> Iterator[str]:
    """Expressions of the largest branches below the root whose every leaf is worse than allowed.

    Neighbouring leaves that agree are one slice: fewer tests, of more rows, in fewer words.
    """

    def is_worse(path: dict[int, Branch]) -> bool:
        part = _parts(scored, is_true(_text(path), frame))
        ours, theirs = (exact_score(rules.metric, part[w]) for w in ("candidate", "baseline"))
        sign = METRICS[rules.metric].sign
        return sign * (ours - theirs) + rules.allowed.of(theirs) < 0

    def _text(path: dict[int, Branch]) -> str:
        return expression([(columns[place], branch) for place, branch in path.items()])

    def walk(node: int, path: dict[int, Branch]) -> tuple[bool, list[dict[int, Branch]]]:
        if tree.children_left[node] < 0:
            # a tree that found nothing to divide by is all root, and all rows are no slice
            return (True, [path]) if path and is_worse(path) else (False, [])
        place, threshold = int(tree.feature[node]), float(tree.threshold[node])
        missing_left = bool(tree.missing_go_to_left[node])
        here = path.get(place, Branch())
        sides = (
            (int(tree.children_left[node]), here.below(threshold, missing_left)),
            (int(tree.children_right[node]), here.above(threshold, not missing_left)),
        )
        found = [walk(child, {**path, place: branch}) for child, branch in sides]
        if path and all(every for every, _ in found):
            return True, [path]
        return all(every for every, _ in found), [one for _, some in found for one in some]

    for path in walk(0, {})[1]:
        yield _text(path)
