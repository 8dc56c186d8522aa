"""Decay over a champion's life: how much of one level each span may spend, and on how many spans.

A span tested at 5 % is wrong in one of twenty; a champion meets dozens. So one level is spent over
all spans that a champion may ever meet: the levels of its places add up to it, so that the chance
that any span is wrong is at most that, however the spans depend on each other (alpha spending
[1]_). Levels that fall need more of one span, which a champion that is a little worse on every
span may never give. So a quarter of each place's level goes to the span alone, and a quarter each
to the newest 2, 4 and 8 spans together, by Stouffer's sum of their normal scores [2]_: what rows
say of a loss is independent from span to span.

References
----------
.. [1] Foster, D. P. and Stine, R. A. (2008). Alpha-investing: a procedure for sequential control of
   expected false discoveries. Journal of the Royal Statistical Society B 70, 429-444, section 2.
.. [2] Stouffer, S. A. and others (1949). The American Soldier, volume 1, page 45; Mosteller, F. and
   Bush, R. R. (1954). Selected quantitative techniques. Handbook of Social Psychology 1, 289-334.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import NormalDist

from everfit.contracts.messages.monitoring import EarlierSpan, Rise
from everfit.contracts.messages.monitoring_levels import DecayTest

FALLS = 1.2
"""Levels fall as ``place ** -FALLS``: slowly, so that a decay late in life is still found."""

WHOLE = 5.591582441177751
"""Sum of ``place ** -FALLS`` over all places: Riemann's zeta function."""

POOLED = (1, 2, 4, 8)
"""So many of the newest spans are tested together; each has an even share of the level."""

LONGEST = max(POOLED)

_LEAST, _MOST = 1e-6, 0.999
"""No p-value says more: scores at both ends are guesses."""


def level_of_place(whole: float, place: int) -> float:
    """The level that a span is tested at; over all places they add up to ``whole``.

    Parameters
    ----------
    whole : float
        Chance of a false alarm over the champion's life.
    place : int
        From 1: the order in which the champion met its spans.

    Examples
    --------
    >>> [round(level_of_place(0.05, place), 5) for place in (1, 2, 10)]
    [0.00894, 0.00389, 0.00056]
    """
    share: float = float(place) ** -FALLS / WHOLE
    return whole * share


def pooled_p_value(p_values: Sequence[float]) -> tuple[float, int]:
    """The p-value of the newest spans, and over how many of them it is.

    Parameters
    ----------
    p_values : sequence of float
        One-sided, of spans that a champion met one after another; at least one.

    Returns
    -------
    p_value : float
        The smallest of the newest 1, 2, 4 and 8 together, times how many tests these are.
    spans : int

    Examples
    --------
    Four spans say together what none of them says alone:

    >>> p_value, spans = pooled_p_value([0.01, 0.01, 0.01, 0.01])
    >>> p_value < 0.00001, spans
    (True, 4)
    """
    normal = NormalDist()
    scores = [-normal.inv_cdf(min(max(p, _LEAST), _MOST)) for p in p_values[-LONGEST:]]
    found = [(min(1.0, len(POOLED) * p_values[-1]), 1)]
    for many in POOLED[1:]:
        if many <= len(scores):
            total = sum(scores[-many:]) / many**0.5
            found.append((min(1.0, len(POOLED) * normal.cdf(-total)), many))
    return min(found)


def places_in_life(names: Iterable[str]) -> dict[str, int]:
    """The place of each span in the life of a champion, from 1.

    Parameters
    ----------
    names : iterable of str
        Of the spans that a champion was evaluated on, in the order in which that was recorded. A
        span that is evaluated anew keeps its place, and one that arrives late takes no other's.

    Examples
    --------
    >>> places_in_life(["may", "june", "may", "april"])
    {'may': 1, 'june': 2, 'april': 3}
    """
    return {name: place for place, name in enumerate(dict.fromkeys(names), start=1)}


def decay_p_values(rises: Iterable[Rise]) -> dict[str, float]:
    """Metric → one-sided p-value of no decay, of the champion's own labelled scores."""
    return {
        rise.metric: rise.excess_p_value
        for rise in rises
        if rise.source == "champion" and not rise.estimated and rise.excess_p_value is not None
    }


class Life:
    """A champion's life, span by span.

    Parameters
    ----------
    whole : float or None
        ``monitor.decay_level``; None: spans are tested one by one.
    lived : sequence of EarlierSpan
        Spans met before.
    """

    def __init__(self, whole: float | None, lived: Sequence[EarlierSpan] = ()) -> None:
        self.whole = whole
        self.p_values = {one.place: one.p_values for one in lived}

    def tested(self, place: int | None, rises: tuple[Rise, ...]) -> tuple[Rise, ...]:
        """The same rises with their tests; the span is part of the life from then on.

        Parameters
        ----------
        place : int or None
            Of the span; None: nothing is tested over a life.
        rises : tuple of Rise
        """
        if self.whole is None or place is None:
            return rises
        found = decay_p_values(rises)
        self.p_values[place] = found
        before = sorted(one for one in self.p_values if one <= place)
        return tuple(
            rise
            if rise.source != "champion" or rise.estimated or rise.metric not in found
            else rise.model_copy(
                update={
                    "test": _test(
                        self.whole,
                        place,
                        [
                            self.p_values[one][rise.metric]
                            for one in before
                            if rise.metric in self.p_values[one]
                        ],
                    )
                }
            )
            for rise in rises
        )


def _test(whole: float, place: int, p_values: Sequence[float]) -> DecayTest:
    p_value, spans = pooled_p_value(p_values)
    return DecayTest(place=place, level=level_of_place(whole, place), p_value=p_value, spans=spans)
