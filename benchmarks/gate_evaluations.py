"""Evaluations as the pipeline takes them: what each may spend, finds, and calls detectable."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from gate_worlds import ROWS, Case, Floats, World

from everfit.contracts.clock import iso
from everfit.contracts.messages.evaluations import HoldoutEvaluation
from everfit.contracts.messages.spans import Span
from everfit.contracts.spec.gate import GateSpec
from everfit.ml.holdout_budget.policy import EvaluatedRun, HoldoutRows, next_evaluation
from everfit.ml.holdout_budget.power import REMEMBERED, detectable
from everfit.ml.scoring.tails import levels_of, tails

WEEKS = 52
CHUNK = 40
"""Years in memory at once."""
GATE = GateSpec(superior_by="1%", baseline="prior")
"""The budget is the default: 0.05 false promotions a year."""


@dataclass(frozen=True)
class Judged:
    """What evaluations found. Every array is (evaluations,)."""

    gain: Floats
    below: Floats
    error: Floats

    def promoted(self, need: float) -> Floats:
        """Where the lower bound reaches what the gate needs, as the gate check GAIN does."""
        low = self.gain - self.below
        return (low >= need) & ((need < 0) | (low > 0))


def alphas(days: float = 7, fresh: bool = True, years: int = 2) -> list[float]:
    """What the evaluations of the last of some years may spend, one a week, by the real policy.

    Parameters
    ----------
    days : float
        That a holdout covers.
    fresh : bool
        Whether each evaluation has a holdout of its own; else all are at the first.
    years : int
        The pool begins empty, so the first year spends a little less than the later ones.
    """
    evaluations: list[HoldoutEvaluation] = []
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    rows = HoldoutRows(begin + timedelta(days=days) * WEEKS * (years + 1))
    for week in range(WEEKS * years):
        start = begin + timedelta(days=days) * (week if fresh else 0)
        span = Span(
            name=f"{week}",
            digest=f"{week if fresh else 0:064x}",
            rows=ROWS,
            size=1,
            period_start=iso(start),
            period_end=iso(start + timedelta(days=days)),
        )
        run = EvaluatedRun(f"{week:064x}", "simulated", "target")
        evaluations.append(next_evaluation(run, evaluations, [span], GATE, rows))
    return [evaluation.alpha for evaluation in evaluations[-WEEKS:]]


def published(alpha: float) -> float:
    """The level that is judged at: the largest that evaluate publishes; 0: none."""
    return max((one for one in levels_of(GATE.confidence) if one <= alpha * (1 + 1e-9)), default=0)


def judge(world: World, gains: Floats, spends: Floats) -> Judged:
    """Judge evaluations by evaluate's own bounds.

    Parameters
    ----------
    world : World
    gains : (evaluations, ROWS) array
    spends : (evaluations,) array
        What each may spend; where nothing, the bound is infinitely far.
    """
    mean, parts = world.units(gains)
    return judge_units(mean, parts, spends, world.in_time)


def judge_units(mean: Floats, parts: Floats, spends: Floats, in_time: bool) -> Judged:
    """The same for (evaluations,) means and (evaluations, units) parts."""
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
    """The effect that the forecast before each evaluation calls detectable: (..., n) arrays.

    It goes by the widest of the ``REMEMBERED`` evaluations before it, which here had the same
    number of rows and nearly the same level. The first few of each row go by the last ones.
    """
    widest = [
        np.max([np.roll(width, back, axis=-1) for back in range(1, REMEMBERED + 1)], axis=0)
        for width in (below, error)
    ]
    pairs = zip(*(width.ravel().tolist() for width in widest), strict=True)
    effects = [detectable(need, *pair) for pair in pairs]
    return np.reshape(effects, below.shape)


def years_of(world: World, number: int, case: Case, years: int, seed: int) -> tuple[Floats, Floats]:
    """False promotions of each year, and the power of each evaluation at what is called detectable.

    Returns
    -------
    false : (years,) array
    found : (evaluations,) bool array
        Whether a gain was found that is as large as those before it called detectable. A fifth
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
