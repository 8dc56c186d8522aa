"""``gate.when_decayed`` in simulated years: the champion is flagged as decayed, yet no candidate is
better.

    .venv/bin/python benchmarks/gate_decayed.py --years 4000

The flag is the worst that monitoring could give: its fresh model *is* the candidate, so that a
week counts as decay where the candidate's gain on that week's rows, the holdout's too, is surely
above 0 by chance alone; two of the newest three weeks flag. *Always* flags in every week. Candidate
and champion are equal in truth, the edge of ``not_worse_than: 0%``, so every promotion counts as
false. A *weekly* pipeline judges a candidate every week, one *for decay* where the flag is up, one
*in every fourth week* has three idle weeks between. Bounds are evaluate's own, levels those of
``holdout_budget`` (a test compares them with the policy). Promotions under ``when_decayed`` and
others are counted apart; *found* is how often a candidate with a gain of 0.05 is promoted.
"""

from __future__ import annotations

import os

os.environ.update({f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")})

import argparse
from dataclasses import dataclass

import numpy as np
from gate_evaluations import GATE, WEEKS, judge
from gate_worlds import Floats, World, absolute_errors, classes, rare_disasters, spells

from everfit.ml.holdout_budget.spend import level_cap, spend
from everfit.ml.scoring.tails import levels_of

USUAL, WEEK = 0.01, 7 / 365.25
"""``superior_by``, and a week in years."""
SURE = 0.05
GAIN = 0.05
LEVELS = np.sort(levels_of(GATE.confidence))
SOME = 100
"""Years in memory at once."""


@dataclass(frozen=True)
class Pipeline:
    """When it judges a candidate, and whether the champion is flagged whatever its rows say."""

    name: str
    when: str
    always: bool = False


PIPELINES = (
    Pipeline("weekly", "weekly"),
    Pipeline("weekly, always flagged", "weekly", always=True),
    Pipeline("for decay", "flagged"),
    Pipeline("in every fourth week, always flagged", "fourth", always=True),
)
LAWS = (
    World("equal models", classes, ()),
    World("absolute errors", absolute_errors, ()),
    World("dependent rows: in time", spells, (), "time blocks"),
    World("heavy-tailed, skewed", rare_disasters, ()),
)


class Budget:
    """The evaluation budget of many pipelines at once, a week at a time.

    Parameters
    ----------
    years : int
        Number of pipelines.
    share : float
        ``when_decayed.share``.
    """

    def __init__(self, years: int, share: float = 0.0) -> None:
        self.share = share
        self.pool, self.kept, self.idle = np.zeros((3, years))
        self.spent: list[Floats] = []
        self.began = np.zeros(years, dtype=bool)

    def evaluate(self, judged: Floats, before: Floats) -> Floats:
        """What each may spend in the next week; 0 where it judges nothing. Shape (years,)."""
        brings = GATE.false_promotions * WEEK
        gap = GATE.false_promotions * np.minimum(self.idle, 1) * self.began
        self.pool += np.where(judged, brings + gap, 0)
        self.kept += np.where(judged, self.share * brings + gap, 0)
        there = np.maximum(np.where(before, self.pool, self.pool - self.kept), 0)
        left = GATE.false_promotions - np.sum([0 * there, *self.spent[-(WEEKS - 1) :]], axis=0)
        alpha = spend(there, brings, level_cap(GATE.confidence), np.maximum(left, 0)) * judged
        self.pool -= alpha
        self.kept = np.where(before & judged, np.maximum(self.kept - alpha, 0), self.kept)
        self.idle = np.where(judged, 0, self.idle + WEEK)
        self.began |= judged
        self.spent.append(alpha)
        return np.asarray(alpha)


def simulate(world: World, pipeline: Pipeline, years: int, gain: float, seed: int) -> Floats:
    """Promotions of each second year: (2, years), under ``when_decayed`` and as usual, and judged.

    Returns
    -------
    (3, years) float array
        The third row counts evaluations.
    """
    key = [seed, 5, PIPELINES.index(pipeline), LAWS.index(world), round(1e6 * gain)]
    chunks = [
        _some(world, pipeline, min(SOME, years - start), gain, np.random.default_rng([*key, start]))
        for start in range(0, years, SOME)
    ]
    return np.concatenate(chunks, axis=1)


def _some(
    world: World, pipeline: Pipeline, years: int, gain: float, rng: np.random.Generator
) -> Floats:
    budget, found = Budget(years), np.zeros((3, years))
    on = np.zeros((4, years), dtype=bool)
    for week in range(2 * WEEKS):
        rows = world.rows(rng, np.full(years, gain))
        sure = judge(world, rows, np.full(years, 0.025))
        # Normal beside the published bounds, which begin at 0.025: a flag that comes too often.
        on = np.vstack([on[1:], (sure.gain > 1.645 * sure.error) | pipeline.always])
        flagged = on[-1] & (on[1:].sum(axis=0) >= 2)
        before = on[-2] & (on[:3].sum(axis=0) >= 2)
        judged = np.full(years, True)
        if pipeline.when == "flagged":
            judged = flagged
        elif pipeline.when == "fourth":
            judged = np.full(years, week % 4 == 0)
        alpha = budget.evaluate(judged, before)
        place = np.searchsorted(LEVELS, alpha * (1 + 1e-9), side="right") - 1
        seen = judge(world, rows, np.where(place < 0, 0.0, LEVELS[np.maximum(place, 0)]))
        if week >= WEEKS:
            found[0] += (seen.gain - seen.below >= 0) & flagged & judged
            found[1] += seen.promoted(USUAL) & ~flagged & judged
            found[2] += judged
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--years", type=int, default=4_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    print(
        "| world | pipeline | when decayed, false a year | as usual, false a year | total | "
        "found |\n| --- | --- | ---: | ---: | ---: | ---: |"
    )
    for world in LAWS:
        for pipeline in PIPELINES:
            false = simulate(world, pipeline, asked.years, 0.0, asked.seed)
            better = simulate(world, pipeline, max(asked.years // 20, SOME), GAIN, asked.seed)
            cells = [
                f"{x.mean():.4f} ± {x.std() / np.sqrt(x.size):.4f}"
                for x in (false[0], false[1], false[0] + false[1])
            ]
            power = better[:2].sum() / max(better[2].sum(), 1)
            print(f"| {world.name} | {pipeline.name} | {' | '.join(cells)} | {power:.1%} |")


if __name__ == "__main__":
    main()
