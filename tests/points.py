"""How many of the points at which something can be killed or refused are tried."""

from __future__ import annotations

import os
from collections.abc import Iterable

EVERY = os.environ.get("EVERFIT_PROOF", "") == "all"
"""Whether everything is tried."""


def evenly(points: Iterable[int], most: int) -> list[int]:
    """At most so many of the points, evenly; ``EVERFIT_PROOF`` says ``all``, or how many."""
    every, asked = list(points), os.environ.get("EVERFIT_PROOF", "")
    if asked == "all":
        return every
    most = int(asked) if asked else most
    if len(every) <= most:
        return every
    return [every[round(i * (len(every) - 1) / (most - 1))] for i in range(most)]
