"""The parameter settings a search tries: the defaults, then a seeded sample without repeats."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any


def settings_to_try(
    space: Mapping[str, tuple[Any, ...]],
    defaults: Mapping[str, Any],
    trials: int,
    seed: int,
    defaults_first: bool = True,
) -> list[dict[str, Any]]:
    """Choose settings.

    Parameters
    ----------
    space : mapping of str to tuple
        Parameter → values; the grid is every combination, the last parameter varying fastest.
    defaults : mapping
        Parameters of the family; a setting is laid over them.
    trials : int
        At most so many settings.
    seed : int
        The same seed gives the same settings.
    defaults_first : bool
        Whether the first setting is the defaults themselves; else settings are of the grid alone.

    Returns
    -------
    list of dict
        Distinct and complete. The whole grid in its order where it is small enough, else a sample.
    """
    names = [name for name, values in space.items() if values]
    sizes = [len(space[name]) for name in names]
    total = math.prod(sizes)
    chosen: list[dict[str, Any]] = [dict(defaults)] if defaults_first or not names else []

    def setting(index: int) -> dict[str, Any]:
        picked: dict[str, Any] = {}
        for name, size in zip(reversed(names), reversed(sizes), strict=True):
            index, place = divmod(index, size)
            picked[name] = space[name][place]
        return {**defaults, **picked}

    if not names:
        return chosen
    if total <= trials:
        order = list(range(total))
    else:
        # One more than needed: the defaults may be among them.
        drawn: dict[int, None] = {}
        generator = random.Random(seed)  # noqa: S311 (reproducible, not secret)
        while len(drawn) < min(total, trials + 1):
            drawn[generator.randrange(total)] = None
        order = list(drawn)
    for index in order:
        candidate = setting(index)
        if candidate not in chosen and len(chosen) < trials:
            chosen.append(candidate)
    return chosen
