"""Looks as the pipeline takes them: what each may spend, finds, and calls detectable."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from gate_worlds import ROWS, Case, Floats, World

from pipeline_components.clock import iso
from pipeline_components.contracts.gate_spec import GateSpec
from pipeline_components.contracts.looks import Look
from pipeline_components.contracts.spans import Span
from pipeline_components.looks.policy import next_look
from pipeline_components.looks.power import REMEMBERED, detectable
from pipeline_components.scoring.tails import levels_of, tails

WEEKS = 52
CHUNK = 40
"""Years in memory at once."""
GATE = GateSpec(superior_by="1%", baseline="prior")
"""The budget is the default: 0.05 false promotions a year."""


@dataclass(frozen=True)
class Judged:
    """What looks found. Every array is (looks,)."""

    gain: Floats
    below: Floats
    error: Floats

    def promoted(self, need: float) -> Floats:
        """Where the lower bound reaches what the gate needs, as ``gate.check_gain`` has it."""
        low = self.gain - self.below
        return (low >= need) & ((need < 0) | (low > 0))


def alphas(days: float = 7, fresh: bool = True, years: int = 2) -> list[float]:
    """What the looks of the last of some years may spend, one a week, by the real policy.

    Parameters
    ----------
    days : float
        That a holdout covers.
    fresh : bool
        Whether each look has a holdout of its own; else all are at the first.
    years : int
        The pool begins empty, so the first year spends a little less than the later ones.
    """
    looks: list[Look] = []
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    for week in range(WEEKS * years):
        start = begin + timedelta(days=days) * (week if fresh else 0)
        span = Span(
            name=f"{week}", digest=f"{week if fresh else 0:064x}", rows=ROWS, size=1,
            period_start=iso(start), period_end=iso(start + timedelta(days=days)),
        )  # fmt: skip
        looks.append(next_look(f"{week:064x}", looks, [span], GATE))
    return [look.alpha for look in looks[-WEEKS:]]


def published(alpha: float) -> float:
    """The level that a look's budget is judged at: the largest that evaluate publishes; 0: none."""
    return max((one for one in levels_of(GATE.confidence) if one <= alpha * (1 + 1e-9)), default=0)


def judge(world: World, gains: Floats, spends: Floats) -> Judged:
    """Judge looks by evaluate's own bounds.

    Parameters
    ----------
    world : World
    gains : (looks, ROWS) array
    spends : (looks,) array
        What each may spend; where nothing, the bound is infinitely far.
    """
    mean, parts = world.units(gains)
    return judge_units(mean, parts, spends, world.in_time)


def judge_units(mean: Floats, parts: Floats, spends: Floats, in_time: bool) -> Judged:
    """The same for (looks,) means and (looks, units) parts."""
    asked = {alpha: published(alpha) for alpha in np.unique(spends).tolist()}
    levels = sorted({level for level in asked.values() if level})
    found = tails(parts, levels, in_time)
    assert found is not None
    below = np.full(len(mean), np.inf)
    for alpha, level in asked.items():
        mine = spends == alpha
        if level:
            below[mine] = found.below[mine, levels.index(level)]
    return Judged(mean, below, found.error)


def called_detectable(need: float, below: Floats, error: Floats) -> Floats:
    """The effect that the forecast before each look calls detectable: (..., looks) arrays.

    It goes by the widest of the ``REMEMBERED`` looks before it, which here had the same number of
    rows and nearly the same level. The first few of each row of looks go by the last ones.
    """
    widest = [
        np.max([np.roll(width, back, axis=-1) for back in range(1, REMEMBERED + 1)], axis=0)
        for width in (below, error)
    ]
    pairs = zip(*(width.ravel().tolist() for width in widest), strict=True)
    effects = [detectable(need, *pair) for pair in pairs]
    return np.reshape(effects, below.shape)


def years_of(world: World, number: int, case: Case, years: int, seed: int) -> tuple[Floats, Floats]:
    """False promotions of each year, and the power of each look at what is called detectable.

    Returns
    -------
    false : (years,) array
    found : (looks,) bool array
        Whether a gain was found that is as large as the looks before it called detectable. A fifth
        of the years are enough for this.
    """
    spends = np.array(alphas())
    false, found = [], []
    for start in range(0, years, CHUNK):
        some = min(CHUNK, years - start)
        key = [seed, number, int(case.intention == "superior_by"), round(1e6 * abs(case.gain))]
        rng = np.random.default_rng([*key, start])
        every = np.tile(spends, some)
        before = judge(world, world.rows(rng, np.full(every.size, case.gain)), every)
        false.append(before.promoted(case.need).reshape(some, WEEKS).sum(axis=1))
        if start < max(years // 5, 1):
            effect = called_detectable(case.need, before.below, before.error)
            found.append(judge(world, world.rows(rng, effect), every).promoted(case.need))
    return np.concatenate(false), np.concatenate(found)
