"""Worlds in which nothing drifts although spans differ, and what is planted in them to be found.

Every world draws latent normal scores, span by span, and turns them into the same columns: four
normal ones, one Student t with 2 degrees of freedom, one lognormal, texts of 3 and 30 values (the
first the most frequent), of 10 and of many equally frequent ones, and a number of which 2 % is
missing. What makes worlds differ
is how the scores of a span depend on each other and on the calendar.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.signal import lfilter

from everfit.contracts.messages.statistics import QUANTILES, ColumnStatistics, SpanStatistics
from everfit.ml.profiles.bins import cells_of_values, quantile, to_bins

Array = np.ndarray

NUMBERS = ("normal0", "normal1", "normal2", "normal3", "student", "lognormal")
TEXTS = {"text3": 3, "tenths": 10, "text30": 30, "many": 400}
COLUMNS = (*NUMBERS, *TEXTS, "gaps")
LISTED = 256
"""Categories that a span's statistics list one by one."""


@dataclass(frozen=True)
class World:
    """One way in which spans differ without drift."""

    name: str
    scores: Callable[[np.random.Generator, int, int], Array]
    """Random numbers, number of the span, rows → latent scores, shape (rows, columns)."""
    rows: int = 1_000
    uneven: bool = False
    """Spans of very different sizes."""
    many: int = 400
    """Values of the text that has many."""
    missing: float = 0.02
    alike: bool = False
    """Columns that all but repeat one another."""
    cyclic: int = 0
    """Spans after which a season returns; 0: there is none."""


def independent(rng: np.random.Generator, _span: int, rows: int) -> Array:
    """Rows that know nothing of each other."""
    return rng.standard_normal((rows, len(COLUMNS) + 1))


def chained(strength: float) -> Callable[[np.random.Generator, int, int], Array]:
    """First-order autoregression along the rows of a span."""

    def scores(rng: np.random.Generator, span: int, rows: int) -> Array:
        noise = independent(rng, span, rows) * np.sqrt(1 - strength**2)
        noise[0] /= np.sqrt(1 - strength**2)
        return lfilter([1.0], [1.0, -strength], noise, axis=0)

    return scores


def entities(count: int, same: float = 0.95) -> Callable[[np.random.Generator, int, int], Array]:
    """Rows of few entities, new ones in each span, whose rows are nearly equal."""

    def scores(rng: np.random.Generator, span: int, rows: int) -> Array:
        own = independent(rng, span, count)[rng.permutation(np.arange(rows) % count)]
        return np.sqrt(same) * own + np.sqrt(1 - same) * independent(rng, span, rows)

    return scores


def lucky(width: float) -> Callable[[np.random.Generator, int, int], Array]:
    """Every span tilts every column a little."""

    def scores(rng: np.random.Generator, span: int, rows: int) -> Array:
        return independent(rng, span, rows) + width * rng.standard_normal(len(COLUMNS) + 1)

    return scores


def _phase() -> Array:
    return np.linspace(0, 2 * np.pi, len(COLUMNS) + 1, endpoint=False)


def seasonal(period: float, height: float) -> Callable[[np.random.Generator, int, int], Array]:
    """A wave through the spans, of another phase in each column."""

    def scores(rng: np.random.Generator, span: int, rows: int) -> Array:
        return independent(rng, span, rows) + height * np.sin(2 * np.pi * span / period + _phase())

    return scores


def weekly(days: int, height: float) -> Callable[[np.random.Generator, int, int], Array]:
    """Spans of so many days, in which weekends are different."""

    def scores(rng: np.random.Generator, span: int, rows: int) -> Array:
        day = span * days + np.arange(rows) * days // rows
        weekend = (day % 7 >= 5).astype(float)[:, None]
        return independent(rng, span, rows) + height * weekend * np.sign(np.sin(_phase() + 0.1))

    return scores


WORLDS = {
    world.name: world
    for world in (
        World("independent", independent),
        World("independent, 100 rows", independent, rows=100),
        World("independent, 10,000 rows", independent, rows=10_000),
        World("independent, uneven spans", independent, uneven=True),
        World("independent, 4,000 categories", independent, many=4_000),
        World("independent, 0.3 % missing", independent, missing=0.003),
        World("correlated columns", independent, alike=True),
        World("AR(1) 0.9", chained(0.9)),
        World("AR(1) 0.9, uneven spans", chained(0.9), uneven=True),
        World("AR(1) 0.9, correlated columns", chained(0.9), alike=True),
        World("20 entities a span", entities(20)),
        World("200 entities a span", entities(200)),
        World("20 entities, correlated columns", entities(20), alike=True),
        World("span luck 0.1", lucky(0.1)),
        World("10-day spans, weekends", weekly(10, 0.5), cyclic=7),
        World("daily spans, weekends", weekly(1, 0.5), cyclic=7),
        World("yearly season of 12 spans", seasonal(12, 0.3), cyclic=12),
    )
}


def span_of(
    world: World, rng: np.random.Generator, number: int, change: Callable[[Array], None] | None
) -> SpanStatistics:
    """One span of a world; ``change`` plants something in its scores."""
    rows = world.rows
    if world.uneven:
        rows = int(np.clip(rows * np.exp(rng.normal(0, 0.8)), 100, 20_000))
    scores = world.scores(rng, number, rows)
    if world.alike:
        common = scores[:, :1]
        scores = np.sqrt(0.95) * common + np.sqrt(0.05) * scores
    if change is not None:
        change(scores)
    columns = [_number(name, scores[:, i]) for i, name in enumerate(NUMBERS)]
    for place, (name, size) in enumerate(TEXTS.items(), len(NUMBERS)):
        columns.append(_text(name, scores[:, place], world.many if name == "many" else size))
    gaps = scores[:, -1] < stats.norm.ppf(world.missing)
    columns.append(_number("gaps", scores[:, -2][~gaps], int(gaps.sum())))
    mark = hashlib.sha256(repr((number, rng.random())).encode()).hexdigest()
    return SpanStatistics(digest=mark, rows=rows, duplicates=0, columns=tuple(columns))


def _number(name: str, scores: Array, missing: int = 0) -> ColumnStatistics:
    values = scores
    if name == "student":
        below = stats.norm.cdf(scores)
        values = (2 * below - 1) / np.sqrt(np.maximum(2 * below * (1 - below), 1e-12))
    elif name == "lognormal":
        values = np.exp(scores)
    held, count = np.unique(values, return_counts=True)
    cells = cells_of_values(held, count)
    return ColumnStatistics(
        name=name,
        type="float",
        rows=len(values) + missing,
        nulls=missing,
        distinct=len(held),
        min=float(held[0]),
        max=float(held[-1]),
        mean=float(values.mean()),
        std=float(values.std()),
        quantiles=tuple(quantile(cells, np.array(QUANTILES)).tolist()),
        bins=to_bins(cells),
    )


def _text(name: str, scores: Array, size: int) -> ColumnStatistics:
    """Zipf's shares, or equal ones; near scores are the same value."""
    shares = 1 / (1 + np.arange(size)) if name in ("text3", "text30") else np.ones(size)
    place = np.searchsorted(np.cumsum(shares / shares.sum())[:-1], stats.norm.cdf(scores))
    count = np.bincount(place, minlength=size)
    order = np.argsort(-count, kind="stable")
    order = order[count[order] > 0]
    complete = len(order) <= LISTED
    # As a span's own profile lists them.
    listed = [i for i in order[:LISTED] if complete or count[i] > 1]
    return ColumnStatistics(
        name=name,
        type="string",
        rows=len(scores),
        nulls=0,
        distinct=len(order),
        categories=tuple((f"c{i}", int(count[i])) for i in listed),
        categories_complete=complete,
    )
