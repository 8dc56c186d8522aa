"""A random search for worlds in which the gate promotes falsely more often than it promises.

A world is two models of a target, drawn with everything left to chance: the metric, the law of the
noise, how the models err on ordinary rows, and a fault of the candidate: how rare, how far off and
in which way. The rows of holdout and window have truths and predictions of both models; all else
follows from these, as in evaluate. The mean is moved to where a promotion is just false. It shares
nothing with ``gate_rare`` but the judgement.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from gate_evaluations import WEEKS, alphas, published
from gate_rare import WORST_LOSS, Rates, error_of
from gate_worlds import Floats, Rng

from everfit.ml.scoring.resampling import UNITS
from everfit.ml.scoring.tails import tails
from everfit.ml.scoring.unseen import ENOUGH, known_rows, may_take, worst_of

Shape = tuple[int, int]
NOISES: dict[str, Callable[[Rng, Shape], Floats]] = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "Laplace": lambda rng, shape: rng.laplace(size=shape),
    "uniform": lambda rng, shape: rng.uniform(-2, 2, shape),
    "t(4)": lambda rng, shape: rng.standard_t(4, shape),
    "lognormal(1)": lambda rng, shape: rng.lognormal(0, 1, shape) - np.exp(0.5),
    "gamma(0.5)": lambda rng, shape: 2 * (rng.gamma(0.5, 1, shape) - 0.5),
}
FAULTS = ("far off", "off by a factor", "always the same", "off by a law")
METRICS = ("mae", "mse", "log_loss", "brier", "zero_one")
MEASURE = 200_000
"""Rows of each kind, ordinary and bad, by which a world's mean is measured."""


@dataclass(frozen=True)
class Searched:
    """A world drawn by chance: ``share`` of the rows are bad, by a fault of a ``size``."""

    metric: str
    rows: int
    window: int
    share: float
    size: float
    fault: str
    noise: str
    apart: float

    @property
    def name(self) -> str:
        """What was drawn, in words."""
        return (
            f"{self.metric}, {self.rows:,} rows of {self.known:,} known, {self.fault} by "
            f"{self.size:.1f} on {self.share:.2%}, noise {self.noise}, models "
            f"{self.apart:.2f} apart"
        )

    @property
    def known(self) -> int:
        """Rows of holdout and window."""
        return self.rows * (1 + self.window)

    @property
    def is_number(self) -> bool:
        """Whether the target is one."""
        return self.metric in ("mae", "mse")

    def draw(self, rng: Rng, shape: Shape, bad: Any) -> tuple[Floats, Floats, Floats]:
        """Gains of rows, the worst by the predictions, the candidate's losses; ``bad`` is told."""
        signal = 2 * rng.standard_normal(shape)
        ours, theirs = (signal + self.apart * rng.standard_normal(shape) for _ in range(2))
        off = self.size
        if self.fault == "off by a law":
            off = self.size * rng.exponential(size=shape)
        wrong = ours + off * rng.choice([-1.0, 1.0], shape)
        if self.fault == "off by a factor":
            wrong = ours * self.size
        if self.fault == "always the same":
            wrong = np.full(shape, self.size)
        ours = np.where(bad, wrong, ours)
        if self.is_number:
            truth = signal + NOISES[self.noise](rng, shape)
            power = 1 if self.metric == "mae" else 2
            loss, other = (np.abs(truth - one) ** power for one in (ours, theirs))
            worst = -(np.abs(ours - theirs) ** power)
            return other - loss, worst, loss
        yes = rng.random(shape) < 1 / (1 + np.exp(-signal))
        chances = [1 / (1 + np.exp(-np.clip(one, -36, 36))) for one in (ours, theirs)]
        loss, other = (_of_class(self.metric, one, yes) for one in chances)
        one, two = (
            _of_class(self.metric, chances[1], truth) - _of_class(self.metric, chances[0], truth)
            for truth in (np.ones(shape, bool), np.zeros(shape, bool))
        )
        worst = np.minimum(one, two)
        return other - loss, worst, loss

    def measured(self) -> tuple[float, float, bool]:
        """The mean gain before it is moved, the candidate's mean loss, whether the gate promises.

        It does where bad rows as rare as these would have been seen, or cost no more than
        ``gate.worst_loss`` says.
        """
        rng = np.random.default_rng([17, self.rows])
        usual, _, loss = self.draw(rng, (1, MEASURE), np.zeros((1, MEASURE), bool))
        faulty, _, _ = self.draw(rng, (1, MEASURE), np.ones((1, MEASURE), bool))
        mean = (1 - self.share) * usual.mean() + self.share * faulty.mean()
        costs = usual.mean() - faulty.mean()
        promised = self.known >= ENOUGH or costs <= WORST_LOSS * loss.mean()
        return float(mean), float(loss.mean()), bool(promised)


def _of_class(metric: str, chance: Floats, yes: Any) -> Floats:
    told = np.where(yes, chance, 1 - chance)
    if metric == "log_loss":
        return -np.log(np.maximum(told, 2.2e-16))
    return (1 - told) ** 2 if metric == "brier" else (told < 0.5).astype(np.float64)


def searched(rng: Rng, least: float = 0.002) -> Searched:
    """A world by chance: the bad rows are at least a share of ``least``."""

    def between(low: float, high: float) -> float:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    return Searched(
        metric=str(rng.choice(METRICS)),
        rows=int(between(100, 2_000)) // 20 * 20,
        window=int(rng.integers(1, 9)),
        share=between(least, 0.05),
        size=between(1, 100),
        fault=str(rng.choice(FAULTS)),
        noise=str(rng.choice(list(NOISES))),
        apart=between(0.05, 1.0),
    )


def rates(world: Searched, evaluations: int, seed: int) -> Rates:
    """Shares of evaluations that promote where they must not, as ``gate_rare.level``."""
    judged = published(alphas()[-1])
    mean, loss, _ = world.measured()
    counts = world.metric in ("mae", "mse", "log_loss")
    false = np.zeros(3)
    chunk = max(2_000_000 // world.known, 1)
    units = min(UNITS, world.rows)
    unit = np.arange(world.rows) * units // world.rows
    size = np.bincount(unit)
    for start in range(0, evaluations, chunk):
        some = min(chunk, evaluations - start)
        rng = np.random.default_rng([seed, start])
        shape = (some, world.known)
        gains, worst, _ = world.draw(rng, shape, rng.random(shape) < world.share)
        takes = np.array([may_take(known_rows(one, loss), WORST_LOSS) * counts for one in worst])
        worst = worst_of(np.minimum(worst, gains) - mean, world.rows)
        gains = gains[:, : world.rows] - mean
        gain = gains.mean(axis=1)
        # unit sums less their share of the gain, as pseudo-values of a mean of unequal units are
        sums = np.add.reduceat(gains, np.flatnonzero(np.diff(unit, prepend=-1)), axis=1)
        parts = (sums - size * gain[:, None]) * units / world.rows
        for place, one in enumerate(((worst - gain) * units / world.rows, 0.0)):
            found = tails(parts, [judged], False, one)
            assert found is not None
            promoted = gain > found.below[:, 0]
            false[1 + place] += promoted.sum()
            false[0] += 0 if place else (promoted & (gain > takes)).sum()
    return Rates(*(false / evaluations).tolist())


@dataclass(frozen=True)
class Line:
    """False promotions a year in a world, with the standard error."""

    world: Searched
    rate: float
    error: float
    bound: float
    promised: bool


def worst_worlds(worlds: int, evaluations: int, seed: int) -> list[Line]:
    """Worlds drawn by chance, the worst first.

    The ten worst are tried again with other numbers, so that chance is not taken for a hole.
    """
    rng = np.random.default_rng([seed, 19])
    tried = [searched(rng) for _ in range(worlds)]
    lines = [_line(world, evaluations, seed) for world in tried]
    lines.sort(key=lambda one: -one.rate)
    again = [_line(one.world, 5 * evaluations, seed + 1) for one in lines[:10]]
    return sorted([*again, *lines[10:]], key=lambda one: -one.rate)


def _line(world: Searched, evaluations: int, seed: int) -> Line:
    found = rates(world, evaluations, seed)
    error = error_of(found.gate, evaluations)
    return Line(world, WEEKS * found.gate, error, WEEKS * found.bound, world.measured()[2])


def search_report(found: list[Line], lines: int = 10) -> str:
    """The worst of them, as a table."""
    text = [
        "| false promotions a year | by the bound | promised | world |",
        "| ---: | ---: | --- | --- |",
    ]
    for one in found[:lines]:
        promised = "yes" if one.promised else "no"
        rate = f"{one.rate:.3f} ± {one.error:.3f}"
        text.append(f"| {rate} | {one.bound:.3f} | {promised} | {one.world.name} |")
    over = sum(one.promised and one.rate - 2 * one.error > 0.05 for one in found)
    promised_worlds = sum(one.promised for one in found)
    text += [
        "",
        f"{len(found):,} worlds; of the {promised_worlds:,} for which the gate promises 0.05 a "
        f"year, {over:,} are more than two standard errors above",
    ]
    return "\n".join(text)
