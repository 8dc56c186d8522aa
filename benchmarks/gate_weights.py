"""How often the lower bound of a weighted gain lies above the truth, with and without the weights.

    python benchmarks/gate_weights.py [EVALUATIONS]

A row's gain is normal, or a little above its mean for most rows and far below it for one of fifty.
Weights are drawn apart from the gains. Prints multiples of the level: 1 is what a bound promises.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from everfit.ml.scoring.resampling import effective
from everfit.ml.scoring.tails import FEWEST_UNITS, tails

Floats = NDArray[np.floating]
ROWS, BATCH = 1_000, 500
LEVELS = (0.025, 0.004, 0.001)
GAINS: dict[str, Callable[[np.random.Generator], Floats]] = {
    "normal": lambda rng: rng.standard_normal((BATCH, ROWS)),
    "one of fifty far worse": lambda rng: np.where(
        rng.random((BATCH, ROWS)) < 0.02,
        0.1 * np.exp(0.125) - 5 * rng.lognormal(0, 0.5, (BATCH, ROWS)),
        0.1 * np.exp(0.125) + 0.3 * rng.standard_normal((BATCH, ROWS)),
    ),
}
"""Each of mean 0."""
WEIGHTS: dict[str, Callable[[np.random.Generator], Floats]] = {
    "lognormal, σ = 1": lambda rng: rng.lognormal(0, 1, (BATCH, ROWS)),
    "lognormal, σ = 2": lambda rng: rng.lognormal(0, 2, (BATCH, ROWS)),
    "one of a hundred × 100": lambda rng: np.where(rng.random((BATCH, ROWS)) < 0.01, 100.0, 1.0),
    "halved every 200 rows": lambda _: np.tile(0.5 ** (np.arange(ROWS)[::-1] / 200), (BATCH, 1)),
}


def misses(gains: str, weights: str, units: int, many: int) -> tuple[Floats, Floats, float]:
    """Multiples of the levels without and with the weights, and the share without any bound."""
    rng = np.random.default_rng([7, units])
    starts = np.arange(units) * ROWS // units
    plain, weighted, none = np.zeros(len(LEVELS)), np.zeros(len(LEVELS)), 0
    for _ in range(many // BATCH):
        w, d = WEIGHTS[weights](rng), GAINS[gains](rng)
        by_unit, sums = np.add.reduceat(w, starts, 1), np.add.reduceat(w * d, starts, 1)
        total = by_unit.sum(1, keepdims=True)
        mean = sums.sum(1, keepdims=True) / total
        without = (sums.sum(1, keepdims=True) - sums) / (total - by_unit)
        parts, in_time = (units - 1) * (mean - without), units <= 100
        plain += (mean - tails(parts, LEVELS, in_time).below > 0).sum(0)
        heavy = ((w**2).sum(1) / w.sum(1))[:, None]
        row = heavy * (d - mean) / (total + heavy) * (ROWS + 1) * units / ROWS
        some = effective(by_unit) >= FEWEST_UNITS
        none += int((~some).sum())
        if some.any():
            worst, best = np.minimum(row.min(1), 0)[some], np.maximum(row.max(1), 0)[some]
            found = tails(parts[some], LEVELS, in_time, worst, best=best, weight=by_unit[some])
            weighted += (mean[some] - found.below > 0).sum(0)
    promised = many * np.array(LEVELS)
    return plain / promised, weighted / promised, none / many


def main() -> None:
    many = int(sys.argv[1]) if len(sys.argv) > 1 else 4_000
    for units in (500, 50):
        for gains in GAINS:
            for weights in WEIGHTS:
                plain, weighted, none = misses(gains, weights, units, many)
                told = (" ".join(f"{x:6.2f}" for x in found) for found in (plain, weighted))
                print(
                    f"{units:3} {gains:23} {weights:23}", *told, f"{none:.0%}", sep="  ", flush=True
                )


if __name__ == "__main__":
    main()
