"""The proof that the two tables share nothing, computed from what was written."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from pipeline_components.contracts.errors import IntegrityError
from pipeline_components.table.row_digests import Hashes

METHOD = (
    "A row's digest is 64 bits over the content of all its source columns, whatever their order "
    "and width. Each side's digest is the sha-256 of its sorted row digests as little-endian "
    "64-bit integers. Overlaps are counted over the rows as written."
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
    train: tuple[Hashes, Hashes | None],
    holdout: tuple[Hashes, Hashes | None],
    spans: list[dict[str, Any]],
    dropped: dict[str, int],
) -> dict[str, Any]:
    """Count what the two sides share.

    Parameters
    ----------
    train, holdout : tuple
        Row digests and entity digests (None where no entity is declared) of each side.
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
        If they share a row or an entity; nothing is published then.
    """
    shared = _shared(train[0], holdout[0])
    same: int | None = None
    if train[1] is not None and holdout[1] is not None:
        same = _shared(train[1], holdout[1])
    if shared or same:
        raise IntegrityError(
            "PREPARE-OVERLAP", "the split", "no row and no entity may be on both sides",
            f"{shared:,} rows and {same or 0:,} entities are", "Please report this as a defect",
        )  # fmt: skip
    return {
        "method": METHOD,
        "train": side(*train),
        "holdout": side(*holdout),
        "overlap": {"rows": shared, "entities": same},
        "spans": spans,
        "dropped": dropped,
    }
