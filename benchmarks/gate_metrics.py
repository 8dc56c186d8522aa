"""How often the truth lies outside the bounds, for every metric and in evaluate's own code.

Rows of two models that are not alike: the candidate is closer on most rows and far off on two of a
hundred. The true gain is that of a million rows; a miss is one whose bound lies beyond it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from gate_worlds import ROWS, Floats

from everfit.contracts.spec.margins import Margin
from everfit.contracts.spec.metrics import METRICS
from everfit.ml.scoring.metric_sums import exact_score
from everfit.ml.scoring.resampling import Resampling
from everfit.ml.scoring.scored import Scored
from everfit.ml.scoring.tails import levels_of
from everfit.steps.evaluate.estimates import Estimates, compare, estimate

LEVELS = tuple(levels_of(0.95)[step] for step in (0, 8, 14))
"""Of those published: 0.025, about 0.004 and 0.001."""
CASES = (
    ("regression", 500, ("mae", "rmse", "r2", "median_ae")),
    ("binary", 500, ("log_loss", "roc_auc", "average_precision", "f1", "balanced_accuracy")),
    ("binary", 50, ("log_loss", "roc_auc", "average_precision", "f1", "balanced_accuracy")),
)
"""Task, units of rows (50: time blocks), metrics."""


@dataclass(frozen=True)
class Missed:
    """Of one metric: how often a bound lay beyond the truth, as a share of its level."""

    metric: str
    units: int
    low: tuple[float, ...]
    high: tuple[float, ...]
    absent: int


def regression(rng: np.random.Generator, rows: int) -> tuple[Scored, Scored]:
    x = rng.lognormal(0, 0.5, rows)
    truth = 3 * x + rng.standard_t(5, rows)
    near = 3 * x + 0.15 * rng.standard_normal(rows)
    candidate = np.where(rng.random(rows) < 0.02, near + 5 * rng.lognormal(0, 0.5, rows), near)
    champion = 2.8 * x + 0.2 + 0.4 * rng.standard_normal(rows)
    return tuple(Scored.of("regression", truth, scores) for scores in (candidate, champion))


def binary(rng: np.random.Generator, rows: int) -> tuple[Scored, Scored]:
    """One row of six is positive."""
    odds = 1.2 * rng.standard_normal(rows) - 2.2
    truth = (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(np.int64)
    near = odds + 0.2 * rng.standard_normal(rows)
    candidate = np.where(rng.random(rows) < 0.02, -1.5 * near, near)
    champion = odds + 0.1 + 0.55 * rng.standard_normal(rows)
    answers = (1 / (1 + np.exp(-scores)) for scores in (candidate, champion))
    return tuple(Scored.of("binary", truth, np.column_stack([1 - p, p])) for p in answers)


def missed(task: str, units: int, metrics: tuple[str, ...], many: int, seed: int) -> list[Missed]:
    """Simulate evaluations at 1,000 rows."""
    make = regression if task == "regression" else binary
    rng = np.random.default_rng([seed, units, len(task)])
    truth = _gains(metrics, make(rng, 1_000_000))
    unit = np.arange(ROWS) * units // ROWS
    resampling = Resampling(unit, units, np.ones((2, units)), "", in_time=units < 100)
    low, high, absent = (np.zeros((len(metrics), n)) for n in (len(LEVELS), len(LEVELS), 1))
    for _ in range(many):
        both = [estimate(scored, resampling, 0.95) for scored in make(rng, ROWS)]
        for row, metric in enumerate(metrics):
            bounds = _bounds(both, resampling, metric)
            absent[row] += not bounds
            for column, level in enumerate(LEVELS if bounds else ()):
                bound = next(one for one in bounds if one.alpha == level)
                low[row, column] += bound.low > truth[row]
                high[row, column] += bound.high < truth[row]
    share = many * np.array(LEVELS)
    return [
        Missed(
            metric, units, tuple(low[row] / share), tuple(high[row] / share), int(absent[row, 0])
        )
        for row, metric in enumerate(metrics)
    ]


def _gains(metrics: tuple[str, ...], both: tuple[Scored, Scored]) -> Floats:
    sign = [1.0 if METRICS[metric].greater_is_better else -1.0 for metric in metrics]
    scores = [[exact_score(metric, scored) for metric in metrics] for scored in both]
    return np.array(sign) * (np.array(scores[0]) - np.array(scores[1]))


def _bounds(both: list[Estimates], resampling: Resampling, metric: str) -> tuple:
    found = compare(
        *both,
        resampling,
        metric=metric,
        baseline_name="champion",
        confidence=0.95,
        intention="superior_by",
        margin=Margin(value=0.0),
    )
    return found.bounds if found else ()
