"""A world that moves: the relation turns with the seasons, and models age.

A row's target is ``b(t) x`` plus noise; a model trained in week ``s`` answers ``c x`` with ``c``
the mean of ``b`` over the eight weeks before ``s`` and an error of its own. Its expected squared
error exceeds the noise by ``(b(t) - c)^2``, so the true gain of a candidate over the champion is
known for every row: it is small after a promotion, grows as the champion ages, and is negative
where the relation comes back to what an old champion has learnt and a fresh candidate has not.
"""

from __future__ import annotations

import numpy as np
from gate_evaluations import CHUNK, WEEKS, Judged, alphas, called_detectable, judge
from gate_worlds import ROWS, Case, Floats, World, edges

from everfit.ml.holdout_budget.power import REMEMBERED

LEARNT = 8
"""Weeks a model is trained on."""
SWING, WANDER, OWN = 0.3, 0.03, 0.05
"""Of the seasons, of a week's random step, and of a model's own error."""


def squared_errors(rng: np.random.Generator, off: Floats) -> Floats:
    """Gains of rows where champion and candidate are off the relation: (2, evaluations, ROWS)."""
    old, new = off
    x, noise = rng.standard_normal((2, *old.shape), dtype=np.float32)
    return np.asarray((old**2 - new**2) * x**2 + 2 * (old - new) * x * noise)


DRIFTING = World("drifting", squared_errors, edges(0.02), "time blocks")
DECLARED = {"superior_by": 0.08, "not_worse_than": 0.03}
"""``gate.effect``: what 1,000 rows of this world can find."""


def drifting_years(case: Case, years: int, seed: int) -> dict[str, Floats]:
    """Simulate years in which every promotion changes the champion.

    Returns
    -------
    dict
        ``false`` and ``promoted``: (years,) counts; a promotion is false where the true gain on
        the evaluation's rows is not what the gate asks for. ``at_risk``: (years,) evaluations in
        which a promotion would have been false. ``found``: for each with a true gain that was
        called detectable before it, whether it was found; ``found_declared``: the same for those of
        the ``DECLARED`` effect or more. ``gains``: (years, WEEKS) true gains.
    """
    chunks = [
        _some_years(
            case,
            min(CHUNK, years - start),
            np.random.default_rng([seed, 77, int(case.intention == "superior_by"), start]),
        )
        for start in range(0, years, CHUNK)
    ]
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def _some_years(case: Case, years: int, rng: np.random.Generator) -> dict[str, Floats]:
    week = np.arange(-LEARNT - 1, WEEKS + 1)
    phase = rng.uniform(0, 2 * np.pi, (years, 1))
    steps = rng.normal(0, WANDER, (years, week.size)).cumsum(axis=1)
    relation = 1 + SWING * np.sin(2 * np.pi * week / WEEKS + phase) + steps
    spends = alphas()
    champion = relation[:, :LEARNT].mean(axis=1) + rng.normal(0, OWN, years)
    shape = (years, WEEKS)
    gains, below, error = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    promoted = np.zeros(shape, dtype=bool)
    way = np.linspace(0, 1, ROWS)
    for t in range(WEEKS):
        begins, ends = relation[:, t + LEARNT + 1, None], relation[:, t + LEARNT + 2, None]
        now = begins * (1 - way) + ends * way
        learnt = relation[:, t + 1 : t + 1 + LEARNT].mean(axis=1)
        candidate = learnt + rng.normal(0, OWN, years)
        old, new = now - champion[:, None], now - candidate[:, None]
        gains[:, t] = (old**2 - new**2).mean(axis=1)
        rows = squared_errors(rng, np.stack([old, new]))
        seen: Judged = judge(DRIFTING, rows, np.full(years, spends[t]))
        below[:, t], error[:, t] = seen.below, seen.error
        promoted[:, t] = seen.promoted(case.need)
        champion = np.where(promoted[:, t], candidate, champion)
    wrong = gains < case.need if case.need < 0 else gains <= case.need
    told = (gains >= called_detectable(case.need, below, error))[:, REMEMBERED:]
    return {
        "false": (promoted & wrong).sum(axis=1),
        "promoted": promoted.sum(axis=1),
        "at_risk": wrong.sum(axis=1),
        "found": promoted[:, REMEMBERED:][told],
        "found_declared": promoted[gains >= DECLARED[case.intention]],
        "gains": gains,
    }
