"""How many requests each client may make."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

MOST_CLIENTS = 10_000
"""Clients that are remembered; the one not seen for longest is forgotten."""


class Rates:
    """A bucket a client: filled at a steady rate, emptied by requests.

    Parameters
    ----------
    per_second : int
        Requests a client may make in a second, on average and at once.
    clock : callable
        Seconds.

    Examples
    --------
    >>> rates = Rates(2, clock=lambda: 0.0)
    >>> [rates.allows("a"), rates.allows("a"), rates.allows("a"), rates.allows("b")]
    [True, True, False, True]
    """

    def __init__(self, per_second: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = float(per_second), clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, client: str) -> bool:
        """Whether a client may make a request now; it is counted."""
        now = self._clock()
        left, since = self._buckets.pop(client, (self._rate, now))
        left = min(self._rate, left + (now - since) * self._rate)
        allowed = left >= 1
        self._buckets[client] = (left - 1 if allowed else left, now)
        if len(self._buckets) > MOST_CLIENTS:
            self._buckets.popitem(last=False)
        return allowed
