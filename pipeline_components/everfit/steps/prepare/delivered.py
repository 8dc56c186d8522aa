"""Whether the holdout was delivered before: rows compared by what a model sees of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from everfit.contracts.messages.requests import DeliveredBefore
from everfit.data.tables.redelivery import occurring, pieces_of, redelivery
from everfit.data.tables.row_digests import Hashes, Integers, row_digests
from everfit.steps.prepare.split import Places

NEW = 0.05
"""A column of which fewer new values than this share occur in the window is not compared: an id, a
load time or a running number is new in a delivery of old rows, too."""


@dataclass(frozen=True)
class Delivery:
    """What all rows are compared by.

    Attributes
    ----------
    shown : uint64 array of shape (n,)
    piece : int array of shape (n,)
        Of the window, as ``pieces_of`` gives it; 0 for rows of the holdout.
    columns : tuple of str
        What ``shown`` covers beside the target.
    """

    shown: Hashes
    piece: Integers
    columns: tuple[str, ...]


def compare_by(
    features: Mapping[str, Any], target: Any, span: Places, train: Places, holdout: Places
) -> Delivery:
    """Choose the columns that old rows keep when they are delivered anew, and digest them.

    Parameters
    ----------
    features : mapping
        Column → Arrow array of n values, of the columns a model sees.
    target : pyarrow.Array of n values
    span : int array of shape (n,)
        Number of each row's span.
    train, holdout : int arrays
        Positions of the rows on each side, ascending.
    """
    shown = np.zeros(len(span), dtype=np.uint64)
    left_out: dict[str, Hashes] = {}
    columns = []
    for name, values in features.items():
        digests = row_digests(pa.table({name: values}), [name])
        time = pa.types.is_timestamp(values.type)
        if time or occurring(digests[holdout], digests[train]) < NEW:
            left_out[name] = digests
        else:
            columns.append(name)
            shown += digests
    if not columns:  # nothing of the window occurs again, so any of it is good for comparing
        columns = list(left_out)
        shown = np.sum(list(left_out.values()), axis=0, dtype=np.uint64)
    shown += row_digests(pa.table({"target": target}), ["target"])
    piece = np.zeros(len(span), dtype=np.int64)
    piece[train] = pieces_of(span[train])
    return Delivery(shown, piece, tuple(columns))


def delivered_before(
    delivery: Delivery, span: Places, names: Sequence[str], train: Places, holdout: Places
) -> tuple[DeliveredBefore, ...]:
    """Compare each span of the holdout with the window."""
    shown, pieces = delivery.shown, delivery.piece
    found = []
    for number in np.unique(span[holdout]).tolist():
        rows = holdout[span[holdout] == number]
        one = redelivery(shown[rows], shown[train], pieces[train])
        if one is not None:
            found.append(
                DeliveredBefore(
                    span=names[number],
                    rows=one.rows,
                    repeated=one.repeated,
                    by_chance=round(one.by_chance, 6),
                    part=round(one.part, 6),
                    low=round(one.low, 6),
                    large=one.is_large,
                    columns=delivery.columns,
                )
            )
    return tuple(found)
