"""The worlds the gate is tried in: laws of the rows' gains, whose true mean is known.

A row's gain is the champion's loss on it less the candidate's. Each law has a spread and a shape;
``gain`` moves its mean to where the truth is wanted. Rows are dealt into units as evaluate does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from everfit.ml.scoring.resampling import UNITS, time_blocks

ROWS = 1_000
DISAGREE = 0.11
"""Share of rows on which one of two classifiers is right and the other wrong."""

Floats = NDArray[np.floating]
Rng = np.random.Generator
Law = Callable[[Rng, Floats], Floats]
"""Random numbers and (evaluations,) true gains → (evaluations, ROWS) gains of rows."""


@dataclass(frozen=True)
class Case:
    """A gate and a truth at which a promotion would be false."""

    intention: str
    margin: float
    gain: float

    @property
    def need(self) -> float:
        """What the gain's lower bound must reach."""
        return self.margin if self.intention == "superior_by" else -self.margin

    @property
    def says(self) -> str:
        """As a spec writes it."""
        return f"{self.intention} {self.margin:g}"


@dataclass(frozen=True)
class World:
    """A law, how its rows depend on each other, and what is asked of it."""

    name: str
    rows: Law
    cases: tuple[Case, ...]
    kind: str = "rows"

    @property
    def in_time(self) -> bool:
        """Whether units lie in time order."""
        return self.kind == "time blocks"

    def units(self, gains: Floats) -> tuple[Floats, Floats]:
        """The mean gain of each evaluation, and what each unit says of it: (n,), (n, units)."""
        if self.kind == "entities":
            return _by_entity(gains)
        units = int(time_blocks(ROWS)[-1]) + 1 if self.in_time else min(UNITS, ROWS)
        parts = gains.reshape(len(gains), units, -1).mean(axis=-1, dtype=np.float64)
        return parts.mean(axis=-1), parts


def edges(margin: float) -> tuple[Case, ...]:
    """Where it is hardest: the truth is exactly what the gate has to refuse."""
    return (
        Case("superior_by", margin, margin),
        Case("not_worse_than", margin, -margin),
    )


def classes(rng: Rng, gain: Floats) -> Floats:
    """Right or wrong: the models disagree on ``DISAGREE`` of the rows."""
    dice = rng.random((len(gain), ROWS), dtype=np.float32)
    better = ((DISAGREE + gain) / 2)[:, None].astype(np.float32)
    worse = ((DISAGREE - gain) / 2)[:, None].astype(np.float32)
    return (dice < better).astype(np.float32) - (dice > 1 - worse)


def absolute_errors(rng: Rng, gain: Floats) -> Floats:
    """Two regressions that err together, each with something of its own."""
    noise, one, other = (_normal(rng, len(gain)) for _ in range(3))
    return np.abs(noise + 0.3 * one) - np.abs(noise + 0.3 * other) + _column(gain)


def log_losses(rng: Rng, gain: Floats) -> Floats:
    """Two classifiers whose log odds are each off by something of their own."""
    truth, one, other = (_normal(rng, len(gain)) for _ in range(3))
    dice = rng.random(truth.shape, dtype=np.float32)
    sign = np.where(dice * (1 + np.exp(-1.5 * truth)) < 1, np.float32(-1), np.float32(1))
    loss = [np.log1p(np.exp(sign * (1.5 * truth + 0.5 * off))) for off in (one, other)]
    return np.asarray(loss[0] - loss[1]) + _column(gain)


def spells(rng: Rng, gain: Floats) -> Floats:
    """Each row resembles the one before it: correlation 0.8, so the mean varies 9 times as much."""
    noise = _normal(rng, len(gain))
    noise[:, 0] /= np.sqrt(1 - 0.8**2)
    return np.asarray(lfilter([1], [1, -0.8], noise, axis=-1) * 0.6) + _column(gain)


ENTITY = (200 * (np.arange(ROWS) / ROWS) ** 1.5).astype(np.int64)
"""200 entities: the first has 30 rows, the last three."""


def entities(rng: Rng, gain: Floats) -> Floats:
    """Half of the variance is the entity's own."""
    own = rng.standard_normal((len(gain), 200), dtype=np.float32)
    return own[:, ENTITY] + _normal(rng, len(gain)) + _column(gain)


def rare_disasters(rng: Rng, gain: Floats) -> Floats:
    """Lognormal to the left: the candidate is a little better on most rows and far worse on few.

    Skewness -6.2, kurtosis 114.
    """
    return np.float32(np.exp(0.5)) - np.exp(_normal(rng, len(gain))) + _column(gain)


def endless_tail(rng: Rng, gain: Floats) -> Floats:
    """Pareto to the left with index 2.5: the skewness is infinite, the variance barely finite."""
    dice = 1 - rng.random((len(gain), ROWS), dtype=np.float32)
    return np.float32(2.5 / 1.5) - dice ** np.float32(-0.4) + _column(gain)


WORLDS: tuple[World, ...] = (
    World(
        "equal models",
        classes,
        (
            Case("superior_by", 0.0, 0.0),
            Case("superior_by", 0.01, 0.0),
            Case("superior_by", 0.01, 0.01),
            Case("not_worse_than", 0.01, -0.01),
        ),
    ),
    World(
        "slightly worse",
        absolute_errors,
        (
            Case("superior_by", 0.0, -0.01),
            Case("not_worse_than", 0.01, -0.01),
        ),
    ),
    World(
        "better, not by enough",
        log_losses,
        (
            Case("superior_by", 0.02, 0.01),
            *edges(0.02),
        ),
    ),
    World("dependent rows: in time", spells, edges(0.05), "time blocks"),
    World("dependent rows: entities", entities, edges(0.05), "entities"),
    World("heavy-tailed, skewed", rare_disasters, edges(0.05)),
    World("endless tail (a limit)", endless_tail, edges(0.05)),
)


def _normal(rng: Rng, evaluations: int) -> Floats:
    return rng.standard_normal((evaluations, ROWS), dtype=np.float32)


def _column(gain: Floats) -> Floats:
    return np.asarray(gain, dtype=np.float32)[:, None]


def _by_entity(gains: Floats) -> tuple[Floats, Floats]:
    """The mean over rows with entities of unequal size, and its jackknife pseudo-values."""
    first = np.flatnonzero(np.diff(ENTITY, prepend=-1))
    sums = np.add.reduceat(gains.astype(np.float64), first, axis=-1)
    sizes = np.diff(np.append(first, ROWS))
    total = sums.sum(axis=-1, keepdims=True)
    left_out = (total - sums) / (ROWS - sizes)
    mean = total / ROWS
    return mean[:, 0], (len(sizes) - 1) * (mean - left_out)
