"""How often other intervals miss, beside the one that was chosen.

An evaluation has 500 units of two rows; the true gain is 0, and a miss is a lower bound above it.
Each is judged by all methods at once. Bootstraps draw 10,000 resamples, the same for all.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from gate_worlds import Floats, Law, absolute_errors, endless_tail, rare_disasters
from scipy.special import ndtr, ndtri, stdtrit
from scipy.stats import skew

from everfit.ml.scoring.tails import tails

LEVELS = (0.025, 0.004, 0.001)
LAWS: dict[str, Law] = {
    "absolute errors": absolute_errors,
    "heavy-tailed, skewed": rare_disasters,
    "endless tail": endless_tail,
}
UNITS, DRAWS, TOGETHER = 500, 10_000, 400


def misses(evaluations: int, seed: int) -> list[tuple[str, str, tuple[float, ...]]]:
    """Law, method and, for each level, misses as a share of what the level allows."""
    drawn = np.random.default_rng([seed, 66]).multinomial(UNITS, np.full(UNITS, 1 / UNITS), DRAWS)
    counts = drawn.astype(np.float32)
    lines = []
    for number, (name, law) in enumerate(LAWS.items()):
        total: dict[str, Floats] = {}
        for start in range(0, evaluations, TOGETHER):
            rng = np.random.default_rng([seed, 67, number, start])
            some = min(TOGETHER, evaluations - start)
            units = law(rng, np.zeros(some)).reshape(some, UNITS, -1).mean(axis=-1, dtype=float)
            for method, lows in _lows(units, counts).items():
                found = (lows >= 0).sum(axis=0)
                total[method] = total.get(method, 0) + found
        for method, found in total.items():
            lines.append((name, method, tuple(found / evaluations / np.array(LEVELS))))
    return lines


def _lows(units: Floats, counts: Floats) -> dict[str, Floats]:
    """Method → (evaluations, levels) lower bounds."""
    mean, spread = units.mean(axis=1), units.std(axis=1, ddof=1)
    g, n = skew(units, axis=1, bias=False), UNITS
    z = ((units - mean[:, None]) / spread[:, None]).astype(np.float32).T
    drawn = counts @ z / n
    own = np.sqrt((counts @ z**2 / n - drawn**2) * n / (n - 1))
    studied = np.sort(drawn / own, axis=0)
    shift = ndtri((drawn < 0).mean(axis=0))
    drawn.sort(axis=0)
    column = np.arange(len(mean))

    def student(level: float) -> Floats:
        return np.full(len(mean), stdtrit(n - 1, 1 - level) / np.sqrt(n))

    def johnson(level: float) -> Floats:
        y = student(level)
        return np.maximum(y, y - g * (1 / (6 * n) + y**2 / 3))

    def hall(level: float) -> Floats:
        y = student(level)
        return np.maximum(y, 3 / g * (np.cbrt(1 + g * (y - g / (6 * n))) - 1))

    def percentile(level: float) -> Floats:
        tail = ndtr(np.sqrt(n / (n - 1)) * stdtrit(n - 1, level))
        return -drawn[int(tail * (DRAWS - 1))]

    def bca(level: float) -> Floats:
        moved = shift + ndtri(level)
        tail = ndtr(shift + moved / (1 - g / (6 * np.sqrt(n)) * moved))
        return -drawn[(tail * (DRAWS - 1)).astype(int), column]

    def bootstrap_t(level: float) -> Floats:
        return studied[int(np.ceil((1 - level) * DRAWS)) - 1]

    methods: dict[str, Callable[[float], Floats]] = {
        "Student's t": student,
        "expanded percentile bootstrap": percentile,
        "BCa": bca,
        "bootstrap-t": bootstrap_t,
        "wider of Student's and Johnson's": johnson,
        "wider of Student's and Hall's": hall,
    }
    lows = {
        name: np.column_stack([mean - spread * far(level) for level in LEVELS])
        for name, far in methods.items()
    }
    ours = tails(units, LEVELS, in_time=False)
    return lows | {"both, with one more unit (chosen)": mean[:, None] - ours.below}
