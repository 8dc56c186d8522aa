"""Texts that hardly repeat, such as notes, names and ids: nothing is learnt from them but noise."""

from __future__ import annotations

SHARE = 0.9
"""Different texts for each value, from which a column hardly repeats."""

ROWS = 50
"""With fewer values nothing can be said of it."""


def is_nearly_unique(distinct: int, values: int) -> bool:
    """Whether nearly every value of a text column is one of its own.

    Examples
    --------
    >>> is_nearly_unique(960, 1000), is_nearly_unique(600, 1000), is_nearly_unique(20, 20)
    (True, False, False)
    """
    return values >= ROWS and distinct >= SHARE * values
