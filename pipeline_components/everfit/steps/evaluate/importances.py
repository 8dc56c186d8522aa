"""Permutation importance of raw columns: how much worse the candidate gets without each.

Up to ``ALONE`` columns are shuffled one by one. With more, that would cost the square of their
number: those that go along most with the predictions are still shuffled alone, the others in
blocks, and the blocks that matter most are halved for as long as shuffles are left (sequential
bifurcation [1]_). A block of which nothing is known but its sum is told as one.

References
----------
.. [1] Bettonvil and Kleijnen, "Searching for important factors in simulation models with many
   factors: Sequential bifurcation", European Journal of Operational Research 96, 1997.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from everfit.contracts.messages.evidence import ImportanceGroup
from everfit.ml.scoring.resampling import Floats

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 2_000
REPEATS = 2
PREDICTIONS = 100_000
"""Rows predicted in all: with very many columns, fewer rows are looked at."""
FEWEST_ROWS = 100
ALONE = PREDICTIONS // (REPEATS * FEWEST_ROWS)
"""Columns that are all shuffled alone: with more, the fewest rows for each are too many."""
CELLS = 50_000_000
"""Values predicted from in all where there are more columns than ``ALONE``."""
FEWEST_SHUFFLES = 40
BLOCKS = 8
"""Blocks that the columns not shuffled alone are divided into at first."""
AT_ONCE = 20_000
"""Rows predicted in one call, which bounds memory."""
CELLS_AT_ONCE = 10_000_000
"""Values predicted from in one call, which bounds it too."""


class Importances(NamedTuple):
    """Importance of columns, in the metric's unit.

    Attributes
    ----------
    alone : dict
        column → importance where it alone is shuffled; positive where the column helps, NaN where
        it cannot be said. In the order of the columns.
    groups : tuple of ImportanceGroup
        Columns that were shuffled together. Every column beyond ``ALONE`` that was not shuffled
        alone is in one of kind ``rest``.
    """

    alone: dict[str, float]
    groups: tuple[ImportanceGroup, ...] = ()

    def finite(self) -> tuple[Importances, list[str]]:
        """What is finite of it, and the names of what is not."""
        alone = {name: lost for name, lost in self.alone.items() if np.isfinite(lost)}
        groups = tuple(group for group in self.groups if np.isfinite(group.importance))
        strange = [f"importances.{name}" for name in self.alone if name not in alone]
        if len(groups) < len(self.groups):
            strange.append("importances of columns together")
        return Importances(alone, groups), strange


class Shuffler:
    """The candidate's score where columns are shuffled.

    Parameters
    ----------
    frame : (n, ...) DataFrame
        Raw rows; a small sample (``rows_for``).
    predict : callable
        Frame → scores of its rows.
    score : callable
        Scores of the n rows → metric.
    greater_is_better : bool
        Of the metric.
    seed : int
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        predict: Callable[[pd.DataFrame], Floats],
        score: Callable[[Floats], float],
        *,
        greater_is_better: bool,
        seed: int,
    ) -> None:
        self.frame, self.seed = frame.copy(), seed  # columns of one type side by side
        self._predict, self._score = predict, score
        self._sign = 1.0 if greater_is_better else -1.0
        self._place = {name: place for place, name in enumerate(frame.columns)}
        self.predicted = predict(frame)
        """Scores of the rows as they are."""
        self._whole = score(self.predicted)

    def worse(self, blocks: Sequence[Sequence[str]], stream: int = 3) -> list[float]:
        """Mean loss of score for each block of columns, over ``REPEATS`` shuffles.

        Parameters
        ----------
        blocks : sequence of sequences of str
            Columns that get one order of the rows together; no column is in two.
        stream : int
            Of random numbers: another one shuffles differently.
        """
        n = len(self.frame)
        rows = min(AT_ONCE, CELLS_AT_ONCE // max(len(self._place), 1))
        at_once = max(rows // max(n * REPEATS, 1), 1)
        found: list[float] = []
        for start in range(0, len(blocks), at_once):
            some = blocks[start : start + at_once]
            scores = self._predict(self._shuffled(some, stream))
            for place in range(len(some)):
                parts = [
                    self._score(scores[(place * REPEATS + r) * n : (place * REPEATS + r + 1) * n])
                    for r in range(REPEATS)
                ]
                lost = self._sign * (self._whole - float(np.mean(parts)))
                found.append(lost + 0.0)  # never -0.0
        return found

    def _shuffled(self, blocks: Sequence[Sequence[str]], stream: int) -> pd.DataFrame:
        """The rows once for each block and repeat, with the block's columns shuffled."""
        import pandas as pd

        n = len(self.frame)
        usual = np.tile(np.arange(n), len(blocks) * REPEATS)
        shuffled = {name for block in blocks for name in block}
        kept = [name for name in self._place if name not in shuffled]
        parts = [self.frame[kept].take(usual)]
        for place, block in enumerate(blocks):
            rows = usual.copy()
            for repeat in range(REPEATS):
                seed = [self.seed, stream, self._place[block[0]], repeat]
                first = (place * REPEATS + repeat) * n
                rows[first : first + n] = np.random.default_rng(seed).permutation(n)
            parts.append(self.frame[list(block)].take(rows))
        for part in parts:
            part.index = pd.RangeIndex(len(usual))
        return pd.concat(parts, axis=1)[list(self._place)]


def permutation_importances(shuffler: Shuffler) -> Importances:
    """Mean loss of score when a column is shuffled, over ``REPEATS`` shuffles.

    References
    ----------
    .. [1] Breiman, "Random Forests", Machine Learning 45, 2001, section 10.
    """
    names = [str(name) for name in shuffler.frame.columns]
    if len(names) <= ALONE:
        return Importances(dict(zip(names, shuffler.worse([[n] for n in names]), strict=True)))
    from everfit.steps.evaluate.association import along_with

    left = shuffles_for(len(names), len(shuffler.frame))
    strength = along_with(shuffler.frame, shuffler.predicted)
    ranked = sorted(names, key=lambda name: (-strength[name], name))
    first, rest = ranked[: left // 2], ranked[left // 2 :]
    found = dict(zip(first, shuffler.worse([[n] for n in first]), strict=True))
    size = -(-len(rest) // BLOCKS)
    blocks = [rest[start : start + size] for start in range(0, len(rest), size)]
    left -= len(first) + len(blocks)
    parts = list(zip(blocks, shuffler.worse(blocks), strict=True))
    found |= {block[0]: lost for block, lost in parts if len(block) == 1}
    known = [part for part in parts if len(part[0]) > 1]
    while known and left >= 2:
        known.sort(key=lambda part: (-part[1], part[0]))
        most = min(BLOCKS, left // 2)
        again = [block for block, lost in known[:most] if lost > 0]
        if not again:
            break
        halves = [half for block in again for half in _halves(block)]
        left -= len(halves)
        parts = list(zip(halves, shuffler.worse(halves), strict=True))
        found |= {block[0]: lost for block, lost in parts if len(block) == 1}
        known = [part for part in known if part[0] not in again]
        known += [part for part in parts if len(part[0]) > 1]
    known.sort(key=lambda part: (-part[1], part[0]))
    alone = {name: found[name] for name in names if name in found}
    groups = [
        ImportanceGroup(columns=tuple(block), importance=lost, kind="rest") for block, lost in known
    ]
    return Importances(alone, tuple(groups))


def _halves(block: list[str]) -> list[list[str]]:
    half = len(block) // 2
    return [block[:half], block[half:]]


def shuffles_for(columns: int, rows: int) -> int:
    """How many columns or blocks are shuffled where there are more columns than ``ALONE``."""
    return max(CELLS // max(columns * rows * REPEATS, 1), FEWEST_SHUFFLES)


def rows_for(columns: int, rows: int) -> int:
    """How many rows to look at."""
    return min(rows, MOST_ROWS, max(PREDICTIONS // max(columns * REPEATS, 1), FEWEST_ROWS))


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
