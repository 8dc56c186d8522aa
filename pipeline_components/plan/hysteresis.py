"""On and off with two thresholds, and so many of the newest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def states(turns: Iterable[bool | None]) -> list[bool]:
    """The state after each reading.

    Parameters
    ----------
    turns : iterable
        Oldest first: True switches on, False switches off, None is in between and keeps.
    """
    found: list[bool] = []
    state = False
    for turn in turns:
        state = state if turn is None else turn
        found.append(state)
    return found


def lasting(on: Sequence[bool], needed: int, newest: int) -> int:
    """How many of the newest are on; those there are not yet are off.

    Raises
    ------
    ValueError
        If more are needed than are looked at.
    """
    if needed > newest:
        raise ValueError(f"{needed} of {newest} can never be")
    return sum(on[-newest:])
