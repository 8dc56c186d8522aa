"""The settings a search tries: the family's own first, then a seeded sample without repeats."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any


def settings_to_try(
    space: Mapping[str, tuple[Any, ...]],
    defaults: Mapping[str, Any],
    trials: int,
    seed: int,
    first: Sequence[Mapping[str, Any]] = ({},),
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
    first : sequence of mappings
        Settings tried before any other, laid over the defaults; none: the grid's alone.

    Returns
    -------
    list of dict
        Distinct and complete. The whole grid in its order where it is small enough, else a sample.
    """
    names = [name for name, values in space.items() if values]
    sizes = [len(space[name]) for name in names]
    total = math.prod(sizes)
    chosen: list[dict[str, Any]] = []
    for given in first or (() if names else ({},)):
        if {**defaults, **given} not in chosen and len(chosen) < trials:
            chosen.append({**defaults, **given})

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
        # As many more as stand first: they may be among them.
        drawn: dict[int, None] = {}
        generator = random.Random(seed)  # noqa: S311 (reproducible, not secret)
        while len(drawn) < min(total, trials + len(chosen)):
            drawn[generator.randrange(total)] = None
        order = list(drawn)
    for index in order:
        candidate = setting(index)
        if candidate not in chosen and len(chosen) < trials:
            chosen.append(candidate)
    return chosen
