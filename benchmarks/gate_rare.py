"""Worlds of rare and bad rows: what a holdout has not shown, and what is known all the same.

Each law draws two models on the rows of a holdout and of the window before it: a row's gain is the
champion's loss less the candidate's, and its *worst* is what the gain would be under the truth that
is worst for the candidate (``scoring.unseen``). The mean is moved to where a promotion would be
just false.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from gate_evaluations import WEEKS, alphas, published
from gate_worlds import Floats, Rng

from everfit.ml.scoring.resampling import UNITS
from everfit.ml.scoring.tails import tails
from everfit.ml.scoring.unseen import known_rows, may_take, worst_of

WINDOW = 4
"""Holdouts in the window, whose rows are known too."""
CHUNK = 500
WORST_LOSS = 100.0
"""As ``gate.worst_loss`` in a spec."""

Law = Callable[[Rng, tuple[int, int]], tuple[Floats, Floats]]
"""Random numbers and a shape → gains of rows, up to a constant, and the worst of each."""
Drawn = tuple[Law, float, float | None]
"""A law, its mean, and the candidate's mean loss; see ``RareWorld``."""


@dataclass(frozen=True)
class RareWorld:
    """A law of rows, its mean, and how many rows a holdout has."""

    name: str
    law: Law
    mean: float
    loss: float | None
    """The candidate's mean loss on ordinary rows; None where a row's loss has a limit."""
    rows: int = 1_000


def bad_rows(share: float, size: float, varying: bool = False) -> Drawn:
    """Absolute errors: the models lie 0.3 apart, and the candidate far off on a few rows."""

    def law(rng: Rng, shape: tuple[int, int]) -> tuple[Floats, Floats]:
        noise, apart = rng.standard_normal((2, *shape), dtype=np.float32)
        apart *= np.float32(0.3)
        gain = np.abs(noise) - np.abs(noise - apart)
        bad = rng.random(shape, dtype=np.float32) < share
        off = size * (2 * rng.random(shape, dtype=np.float32) if varying else np.float32(1))
        return np.where(bad, -off, gain), np.where(bad, -off, -np.abs(apart))

    # E|z| - E|z - 0.3 z'| of normal numbers
    usual = np.sqrt(2 / np.pi) * (1 - np.sqrt(1 + 0.3**2))
    loss = np.sqrt(2 / np.pi) * np.sqrt(1 + 0.3**2)
    return law, (1 - share) * usual - share * size, float(loss)


def squared_bad_rows(share: float, size: float) -> Drawn:
    """The same of squared errors: what RMSE is made of."""

    def law(rng: Rng, shape: tuple[int, int]) -> tuple[Floats, Floats]:
        noise, apart = rng.standard_normal((2, *shape), dtype=np.float32)
        bad = rng.random(shape, dtype=np.float32) < share
        apart = np.where(bad, np.float32(size), np.float32(0.3) * apart)
        return noise**2 - (noise - apart) ** 2, -(apart**2)

    return law, -(1 - share) * 0.3**2 - share * size**2, 1 + 0.3**2


def surprises(share: float, cost: float, seen: float = 1.0) -> Drawn:
    """Log losses: the candidate is too sure, and wrong on ``share`` of the rows.

    ``seen`` is the share of rows that it is too sure of; elsewhere both models are alike.
    """

    def law(rng: Rng, shape: tuple[int, int]) -> tuple[Floats, Floats]:
        sure = rng.random(shape, dtype=np.float32) < seen
        wrong = sure & (rng.random(shape, dtype=np.float32) < share / seen)
        apart = np.float32(0.1) * rng.standard_normal(shape, dtype=np.float32)
        gain = np.where(wrong, np.float32(-cost), apart)
        return gain, np.where(sure, np.float32(-cost), -2 * np.abs(apart))

    return law, -share * cost, 0.35


def tailed(noise_of: Callable[[Rng, tuple[int, int]], Floats]) -> Drawn:
    """Absolute errors whose noise has a law of its own; both models are 0.5 off, each by itself."""

    def law(rng: Rng, shape: tuple[int, int]) -> tuple[Floats, Floats]:
        noise = noise_of(rng, shape)
        one, other = np.float32(0.5) * rng.standard_normal((2, *shape), dtype=np.float32)
        return np.abs(noise - one) - np.abs(noise - other), -np.abs(one - other)

    rng = np.random.default_rng(0)
    off = noise_of(rng, (1, 100_000)) - 0.5 * rng.standard_normal((1, 100_000))
    return law, 0.0, float(np.abs(off).mean())


def few_differ(share: float) -> Drawn:
    """Classes: right or wrong, and the models differ on a few rows."""

    def law(rng: Rng, shape: tuple[int, int]) -> tuple[Floats, Floats]:
        dice = rng.random(shape, dtype=np.float32)
        differ = dice < share
        gain = np.where(dice < share / 2, np.float32(1), np.float32(-1)) * differ
        return gain, -differ.astype(np.float32)

    return law, 0.0, None


def student(rng: Rng, shape: tuple[int, int]) -> Floats:
    """Student's t with three degrees of freedom."""
    return np.asarray(rng.standard_t(3, shape), dtype=np.float32)


def lognormal(rng: Rng, shape: tuple[int, int]) -> Floats:
    """Lognormal with a logarithm's deviation of 2."""
    return np.exp(2 * rng.standard_normal(shape, dtype=np.float32))


def rare_worlds() -> tuple[RareWorld, ...]:
    """Every world of the table."""
    found = []
    for rows in (300, 1_000):
        for share in (0.001, 0.005, 0.02):
            for cost in (6.0, 12.0):
                name = f"log loss, surprises of {cost:g} on {share:.1%}"
                found.append(RareWorld(name, *surprises(share, cost), rows))
        name = "log loss, surprises of 6 on 0.5 %, sure on 2 %"
        found.append(RareWorld(name, *surprises(0.005, 6.0, 0.02), rows))
        found.append(RareWorld("log loss, a class of 1 %", *surprises(0.01, 4.6), rows))
        for share in (0.002, 0.005, 0.02):
            for size in (3.0, 15.0, 100.0):
                name = f"MAE, {size:g} sd off on {share:.1%}"
                found.append(RareWorld(name, *bad_rows(share, size), rows))
        found.append(RareWorld("MAE, 0 to 60 sd off on 0.5 %", *bad_rows(0.005, 30.0, True), rows))
        for size in (15.0, 30.0):
            name = f"squared errors, {size:g} sd off on 0.5 %"
            found.append(RareWorld(name, *squared_bad_rows(0.005, size), rows))
        found.append(RareWorld("MAE, noise t(3)", *tailed(student), rows))
        found.append(RareWorld("MAE, noise lognormal(2)", *tailed(lognormal), rows))
        found.append(RareWorld("0/1, models differ on 1 %", *few_differ(0.01), rows))
    return tuple(found)


@dataclass(frozen=True)
class Rates:
    """Shares of evaluations that promote where they must not."""

    gate: float
    """As the gate judges."""
    bound: float
    """Without the check that enough rows are known."""
    alone: float
    """By the holdout alone: the bound without what is known to be possible."""


def level(world: RareWorld, evaluations: int, seed: int, window: int = WINDOW) -> Rates:
    """Promotions where all are false.

    Parameters
    ----------
    world : RareWorld
    evaluations : int
    seed : int
    window : int
        Holdouts in the window.
    """
    judged = published(alphas()[-1])
    false = np.zeros(3)
    for start in range(0, evaluations, CHUNK):
        some = min(CHUNK, evaluations - start)
        rng = np.random.default_rng([seed, start])
        rows, worst = world.law(rng, (some, world.rows))
        known = world.law(rng, (some, window * world.rows))[1]
        worst = np.concatenate([worst, known], axis=1) - world.mean
        takes = np.zeros(some)
        if world.loss is not None:
            loss = world.loss
            takes += [may_take(known_rows(one, loss), WORST_LOSS) for one in worst]
        worst = worst_of(worst, world.rows)
        groups = min(UNITS, world.rows)
        parts = (rows - world.mean).reshape(some, groups, -1).mean(axis=-1, dtype=np.float64)
        mean = parts.mean(axis=-1)
        # a row's part is its distance from the mean, of which its unit shows so much
        part = (worst - mean) * groups / world.rows
        for place, one in enumerate((part, 0.0)):
            found = tails(parts, [judged], False, one)
            assert found is not None
            promoted = mean > found.below[:, 0]
            false[1 + place] += promoted.sum()
            false[0] += 0 if place else (promoted & (mean > takes)).sum()
    return Rates(*(false / evaluations).tolist())


def error_of(rate: float, evaluations: int) -> float:
    """Standard error of false promotions a year, by a share of so many evaluations."""
    return WEEKS * float(np.sqrt(rate * (1 - rate) / evaluations))


def levels_of_worlds(evaluations: int, seed: int) -> list[dict[str, Any]]:
    """A line for every world: false promotions a year, each with its standard error."""
    lines: list[dict[str, Any]] = []
    for world in rare_worlds():
        rates = vars(level(world, evaluations, seed))
        lines.append(
            {"world": world.name, "rows": world.rows}
            | {name: (WEEKS * one, error_of(one, evaluations)) for name, one in rates.items()}
        )
    return lines


def by_rows_known(evaluations: int, seed: int) -> list[tuple[float, float, float]]:
    """Bad rows expected among all that are known → false promotions a year, with the error.

    The candidate is 100 sd off on them: about the worst there is at each number.
    """
    found = []
    for expected in (1, 3, 5, 7, 10, 15, 25):
        world = RareWorld("", *bad_rows(expected / (1 + WINDOW) / 1_000, 100.0))
        rate = level(world, evaluations, seed).gate
        found.append((expected, WEEKS * rate, error_of(rate, evaluations)))
    return found


def drawn_world(rng: Rng, known: float = 10.0) -> RareWorld:
    """A world that nobody thought of, with ``known`` bad rows expected in window and holdout."""
    rows = int(rng.choice([300, 500, 1_000]))
    least = known / rows / (1 + WINDOW)
    share = float(np.exp(rng.uniform(np.log(least), np.log(max(0.03, 2 * least)))))
    size = float(np.exp(rng.uniform(np.log(2), np.log(100))))
    kind = rng.integers(4)
    if kind == 0:
        law, name = bad_rows(share, size, bool(rng.integers(2))), "MAE"
    elif kind == 1:
        law, name = squared_bad_rows(share, size), "squared errors"
    elif kind == 2:
        law, name = surprises(share, min(size, 30.0)), "log loss"
    else:
        seen = min(share * float(rng.uniform(1, 10)), 1.0)
        law, name = surprises(share, min(size, 30.0), seen), f"log loss, sure on {seen:.2%}"
    return RareWorld(f"{name}, {size:.1f} off on {share:.2%}", *law, rows)


def rare_report(lines: list[dict[str, Any]], known: list[tuple[float, float, float]]) -> str:
    """Both as tables of docs/explanation/gate.md."""
    text = [
        "| world | rows | false promotions a year | by the bound | by the holdout alone |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for one in lines:
        cells = [f"{one[name][0]:.3f} ± {one[name][1]:.3f}" for name in ("gate", "bound", "alone")]
        text.append(f"| {one['world']} | {one['rows']:,} | {' | '.join(cells)} |")
    text += ["", "| bad rows expected among those known | false promotions a year |"]
    text += ["| ---: | ---: |"]
    text += [f"| {count:g} | {rate:.3f} ± {error:.3f} |" for count, rate, error in known]
    return "\n".join(text)
