"""The proof that no observation is on both sides, computed from what was written."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from everfit.contracts.errors import IntegrityError
from everfit.data.tables.row_digests import Hashes
from everfit.steps.prepare.split import RowFacts

METHOD = (
    "A row's digest is 64 bits over the content of all its source columns, whatever their order "
    "and width. Each side's digest is the sha-256 of its sorted row digests as little-endian "
    "64-bit integers. Overlaps are counted over the rows as written: of keys where the pipeline "
    "declares one, of contents where the rows of the same spans were divided. Rows of different "
    "spans without a key are different observations; how many are equal is counted as well."
)


def side(rows: Hashes, entities: Hashes | None) -> dict[str, Any]:
    """Counts and digest of one table."""
    ascending = np.sort(rows)
    return {
        "rows": len(rows),
        "distinct_rows": len(_distinct(ascending)),
        "digest": hashlib.sha256(ascending.astype("<u8").tobytes()).hexdigest(),
        "entities": None if entities is None else len(_distinct(np.sort(entities))),
    }


def _distinct(ascending: Hashes) -> Hashes:
    """The distinct values of a sorted array."""
    first = np.concatenate([[True], ascending[1:] != ascending[:-1]])[: len(ascending)]
    distinct: Hashes = ascending[first]
    return distinct


def _shared(one: Hashes, other: Hashes) -> int:
    """How many distinct values two arrays share."""
    both = np.sort(np.concatenate([_distinct(np.sort(one)), _distinct(np.sort(other))]))
    return int(np.count_nonzero(both[1:] == both[:-1]))


def prove(
    train: RowFacts,
    holdout: RowFacts,
    spans: list[dict[str, Any]],
    dropped: dict[str, int],
) -> dict[str, Any]:
    """Count what the two sides share.

    Parameters
    ----------
    train, holdout : RowFacts
        Of the rows as written.
    spans : list of dict
        Name, digest, side and counts of each span.
    dropped : dict of str to int
        Reason → rows left out.

    Returns
    -------
    dict
        JSON-able.

    Raises
    ------
    IntegrityError
        If they share an observation or an entity; nothing is published then.
    """
    equal = _shared(train.rows, holdout.rows)
    shared = 0
    if train.keys is not None and holdout.keys is not None:
        shared = _shared(train.keys[train.keys != 0], holdout.keys[holdout.keys != 0])
    elif train.judged is None and train.entities is None:
        shared = equal
    same: int | None = None
    if train.entities is not None and holdout.entities is not None:
        same = _shared(train.entities, holdout.entities)
    if shared or same:
        raise IntegrityError(
            "PREPARE-OVERLAP",
            "the split",
            "no row and no entity may be on both sides",
            f"{shared:,} rows and {same or 0:,} entities are",
            "Please report this as a defect",
        )
    return {
        "method": METHOD,
        "train": side(train.rows, train.entities),
        "holdout": side(holdout.rows, holdout.entities),
        "overlap": {"rows": shared, "entities": same, "equal_contents": equal},
        "spans": spans,
        "dropped": dropped,
    }
