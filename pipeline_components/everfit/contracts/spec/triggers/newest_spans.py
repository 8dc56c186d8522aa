"""``for: 2 of 3``: a condition that must hold in so many of the newest measured spans."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import AfterValidator, ConfigDict, Field

from everfit.contracts.errors import shortlist
from everfit.contracts.messages.trigger_facts import Evaluated, Facts
from everfit.contracts.spec.triggers.kind import TriggerKind
from everfit.contracts.wording import count

if TYPE_CHECKING:  # its module imports the spec, which holds the triggers
    from everfit.contracts.messages.monitoring import Rise

K_OF_N = re.compile(r"([0-9]{1,2}) of ([0-9]{1,2})")


def k_of_n(text: str) -> tuple[int, int]:
    """Read ``2 of 3``.

    Raises
    ------
    ValueError
        If it is not written so, or can never hold.

    Examples
    --------
    >>> k_of_n("2 of 3")
    (2, 3)
    """
    match = K_OF_N.fullmatch(text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise ValueError("must be written like 2 of 3, the first number no larger than the second")
    return int(match[1]), int(match[2])


def _checked(text: str) -> str:
    k_of_n(text)
    return text


def states(readings: Iterable[bool | None]) -> list[bool]:
    """On or off after each reading, with a threshold for each (hysteresis).

    Parameters
    ----------
    readings : iterable
        Oldest first: True switches on, False switches off, None lies in between and changes
        nothing.

    Examples
    --------
    >>> states([None, True, None, False, None])
    [False, True, True, False, False]
    """
    found: list[bool] = []
    state = False
    for reading in readings:
        state = state if reading is None else reading
        found.append(state)
    return found


LONGEST_PAUSE = 8
"""New spans that are waited for at most after verdicts that promoted nothing."""


@dataclass(frozen=True)
class Reading:
    """What a condition makes of one measured span."""

    name: str
    on: bool
    """The state after it."""
    score: str
    """What was measured, for people."""
    evidence: tuple[tuple[float, float], ...]
    """Of each thing it watches, in one order: how much it moved, and how much at least."""
    extreme: bool = False
    """So far beyond the margin, and so surely, that one span is enough."""

    def surely_beyond(self, others: Sequence[Reading]) -> bool:
        """Whether anything it watches has surely moved further than in all of the others."""
        return any(
            least > max(one.evidence[place][0] for one in others)
            for place, (_, least) in enumerate(self.evidence)
        )


def evidence_of(rise: Rise | None) -> tuple[float, float]:
    """How much a score has risen, and how much at least; nothing where it is not known."""
    return (rise.excess, rise.excess_low) if rise else (-math.inf, -math.inf)


class OfNewestSpans(TriggerKind):
    """A kind that looks at what monitoring measured of the newest spans.

    The newest span itself must be on. What a verdict of hold or reject has answered does not fire
    again: it takes as many new spans that are on, and after each such verdict twice as long a wait,
    unless the newest span is surely worse than all that was answered.
    """

    model_config = ConfigDict(validate_by_name=True)

    lasting: Annotated[str, AfterValidator(_checked)] = Field(
        "2 of 3", alias="for", description="it must show in this many of the newest measured spans"
    )

    reads_monitoring: ClassVar[bool] = True

    @property
    def needed(self) -> int:
        """Spans in which it must hold."""
        return k_of_n(self.lasting)[0]

    @property
    def newest(self) -> int:
        """Newest spans looked at; those that are not there yet count as off."""
        return k_of_n(self.lasting)[1]

    @property
    def where(self) -> str:
        """``in 2 of the newest 3 spans``."""
        if self.newest == 1:
            return "in the newest span"
        return f"in {self.needed} of the newest {self.newest} spans"

    def shows(self, readings: Sequence[Reading]) -> bool:
        """Whether it holds in enough of the newest spans, whatever verdicts have answered.

        Parameters
        ----------
        readings : sequence of Reading
            Of the spans that have one, oldest first.
        """
        hits = [one for one in readings[-self.newest :] if one.on]
        return bool(hits) and readings[-1].on and (len(hits) >= self.needed or readings[-1].extreme)

    def conclude(self, condition: str, facts: Facts, readings: Sequence[Reading]) -> Evaluated:
        """Count the newest spans that are on and that no verdict has answered yet.

        Parameters
        ----------
        condition : str
            As the spec says it, without ``for``.
        facts : Facts
        readings : sequence of Reading
            Of the spans that have one, oldest first.
        """
        newest = readings[-self.newest :]
        answered = _Answered(facts, readings)
        hits = [one for one in newest if one.on]
        fresh = hits if answered.grown else [one for one in hits if one.name not in answered.spans]
        at_once = bool(fresh) and readings[-1].extreme
        fired = bool(
            hits
            and readings[-1].on
            and (len(fresh) >= self.needed or at_once)
            and (answered.grown or answered.waited >= answered.pause)
        )
        champion = f"champion v{facts.champion}" if facts.champion else "a champion"
        return Evaluated(
            condition=f"{condition}, {self.lasting}",
            kind=self.kind,
            looked_at=f"the newest {self.newest} spans, compared with {champion}",
            measured="; ".join(f"{one.name} {one.score}" for one in newest) or "nothing",
            fired=fired,
            because=self._because(facts, readings, hits, fresh, answered),
        )

    def _because(
        self,
        facts: Facts,
        readings: Sequence[Reading],
        hits: Sequence[Reading],
        fresh: Sequence[Reading],
        answered: _Answered,
    ) -> str:
        if facts.champion is None:
            return "there is no champion to compare new spans with"
        if not readings:
            because = f"no span newer than champion v{facts.champion} is measured yet"
            unusable = len(facts.measured)
            return f"{because} ({unusable} could not be)" if unusable else because
        named = f": {shortlist(one.name for one in hits)}" if hits else ""
        because = f"on in {len(hits)} of the newest {self.newest}{named}; {self.needed} needed"
        if len(readings) < self.newest:
            because += f", and only {len(readings)} measured yet"
        newest = readings[-1]
        if not hits:
            return because
        if not newest.on:
            return f"{because}, and the newest, {newest.name}, among them: it is off"
        if answered.grown:
            return f"{because}; {newest.name} is surely worse than all that a verdict has answered"
        if len(fresh) < len(hits):
            because += f"; {_verdicts(answered.verdicts)} answered {len(hits) - len(fresh)} of them"
        if answered.waited < answered.pause:
            spans = count(answered.pause, "new span")
            return (
                f"{because}; after {_verdicts(answered.verdicts)} in a row that promoted nothing "
                f"it waits for {spans}, {answered.waited} measured"
            )
        if newest.extreme and fresh and len(fresh) < self.needed:
            because += f"; {newest.name} is so far beyond the margin that it fires at once"
        return because


class _Answered:
    """What verdicts have made of the readings so far."""

    def __init__(self, facts: Facts, readings: Sequence[Reading]) -> None:
        by_name = {one.name: one for one in readings}
        self.spans: set[str] = set()
        """Names of the spans that a verdict has answered."""
        self.verdicts = 0
        """Verdicts that came while it was on."""
        for spent in facts.spent:
            self.spans |= spent.spans
            covered = [one for one in readings if one.name in spent.spans]
            self.verdicts += bool(covered) and covered[-1].on
        covered = [by_name[name] for name in self.spans if name in by_name]
        last = max((readings.index(one) for one in covered), default=-1)
        self.waited = len(readings) - 1 - last
        """Spans measured since the newest that a verdict has answered."""
        self.pause = min(1 << (self.verdicts - 1), LONGEST_PAUSE) if self.verdicts else 0
        """Spans it waits for: 1 after the first verdict, twice as many after each further one."""
        self.grown = bool(covered) and readings[-1].on and readings[-1].surely_beyond(covered)
        """Whether the newest span is surely worse than everything answered."""


def _verdicts(number: int) -> str:
    return "a verdict" if number <= 1 else f"{number} verdicts"
