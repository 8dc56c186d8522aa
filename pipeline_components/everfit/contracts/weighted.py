"""Row weights in words."""

from __future__ import annotations

from everfit.contracts.messages.training import Weights
from everfit.contracts.wording import count


def weighted_by(weights: Weights) -> str:
    """How rows are weighted, and how many of equal weight both tables are worth.

    Examples
    --------
    >>> weighted_by(Weights(by="exposure", train=812.4, holdout=95.0))
    'Weighted by exposure: as sure as 812 training rows and 95 holdout rows of equal weight.'
    """
    train, holdout = (
        count(int(rows), f"{side} row")
        for side, rows in (("training", weights.train), ("holdout", weights.holdout))
    )
    return f"Weighted by {weights.by}: as sure as {train} and {holdout} of equal weight."
