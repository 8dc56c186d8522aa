"""Cross-validation that respects time, entities and classes, and depends on content alone.

============  =====================================================================================
time          rows are in time's order; the last ``folds`` of ``folds + 1`` equal blocks are each
              predicted from everything before them
entity        an entity's rows are all in one fold, chosen by the hash of the entity; with time as
              well, rows of a block's entities are left out of what it is predicted from, as the
              holdout's are left out of training; where that leaves less than a tenth of them,
              because everyone keeps coming back, entities alone decide
otherwise     rows are in the order of their content digest, which is as good as random: every
              k-th row of each class is in fold k
============  =====================================================================================
"""

from __future__ import annotations

from typing import Any

import numpy as np

from everfit.data.tables.row_digests import Hashes, scatter

Places = np.ndarray[Any, np.dtype[np.intp]]

FOLD_SALT = 0x666F6C64


def make_folds(
    rows: int,
    folds: int,
    by_time: bool,
    entities: Hashes | None = None,
    classes: np.ndarray[Any, np.dtype[np.int64]] | None = None,
) -> list[tuple[Places, Places]]:
    """Divide rows into what is fitted and what is scored.

    Parameters
    ----------
    rows : int
        n, in the order of the prepared table.
    folds : int
    by_time : bool
        Whether that order is time's.
    entities : uint64 array of shape (n,), optional
    classes : int array of shape (n,), optional
        Class codes; each fold then gets its share of every class. A fold whose fitted part lacks
        a class is left out: its score would say nothing of the model.

    Returns
    -------
    list of (fit, score)
        Ascending positions. May be shorter than ``folds`` and even empty.
    """
    everything = np.arange(rows, dtype=np.intp)
    pairs = _time_folds(everything, folds, entities) if by_time else []
    if not pairs:
        if entities is not None:
            fold_of = (scatter(entities, salt=FOLD_SALT) % np.uint64(folds)).astype(np.intp)
        elif classes is None:
            fold_of = everything % folds
        else:
            # The rank of a row within its class, so that every fold has its share.
            order = np.argsort(classes, kind="stable")
            starts = np.searchsorted(classes[order], classes[order], side="left")
            fold_of = np.empty(rows, dtype=np.intp)
            fold_of[order] = (np.arange(rows) - starts) % folds
        pairs = [(everything[fold_of != f], everything[fold_of == f]) for f in range(folds)]
    kinds = 0 if classes is None else len(np.unique(classes))
    return [
        (fit, score)
        for fit, score in pairs
        if len(fit) >= 2
        and len(score)
        and (classes is None or len(np.unique(classes[fit])) == kinds)
    ]


def _time_folds(
    everything: Places, folds: int, entities: Hashes | None
) -> list[tuple[Places, Places]]:
    """Expanding windows; none where entities would take nearly all rows out of one."""
    rows = len(everything)
    block = rows // (folds + 1)
    pairs = []
    for fold in range(folds):
        start = rows - (folds - fold) * block
        fit, score = everything[:start], everything[start : start + block]
        if entities is not None:
            fit = fit[~np.isin(entities[fit], entities[score])]
            if len(fit) < start / 10:
                return []
        pairs.append((fit, score))
    return pairs
