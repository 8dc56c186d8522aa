"""Spans of 20 columns for simulations: drawn as counts, or as real rows.

8 normal columns, 3 lognormal, 2 Student t with 2 degrees of freedom, 2 Poisson, 1 boolean, 4 texts
with 2, 4, 12 and 60 categories; two columns with 5 % missing. Counts are multinomial on 2,000
quantiles of each law, then binned as a span's are, so a million rows cost no more than a hundred.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy import stats

from everfit.contracts.messages.statistics import QUANTILES, ColumnStatistics, SpanStatistics
from everfit.ml.profiles.bins import cells_of_values, quantile, to_bins
from everfit.ml.profiles.span_statistics import profile_table

ATOMS = 2_000
GRID = (np.arange(ATOMS) + 0.5) / ATOMS
LAWS = {
    "normal": stats.norm(),
    "lognormal": stats.lognorm(1),
    "student": stats.t(2),
    "poisson": stats.poisson(6),
    "boolean": stats.bernoulli(0.3),
}
NUMBERS = ["normal"] * 8 + ["lognormal"] * 3 + ["student"] * 2 + ["poisson"] * 2 + ["boolean"]
TEXTS = [2, 4, 12, 60]
NAMES = [f"{law}{i}" for i, law in enumerate(NUMBERS)] + [f"text{k}" for k in TEXTS]
MISSING = {"normal0": 0.05, "text12": 0.05}
SCORES = stats.norm.ppf(GRID)
VALUES = {law: LAWS[law].ppf(GRID) for law in LAWS}


def digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def mix(k: int) -> np.ndarray:
    weights = 1 / (1 + np.arange(k))
    return weights / weights.sum()


def tilted(share: np.ndarray, score: np.ndarray, effect: float) -> np.ndarray:
    """Shares moved along a score: by about ``effect`` standard deviations of it."""
    weights = share * np.exp(effect * score)
    return weights / weights.sum()


def draw(rng: np.random.Generator, share: np.ndarray, rows: int, block: int) -> np.ndarray:
    """Multinomial counts; ``block`` neighbouring rows are equal."""
    full, rest = divmod(rows, block)
    return rng.multinomial(full, share) * block + rng.multinomial(1, share) * rest


def number_column(name: str, law: str, counts: np.ndarray, missing: int) -> ColumnStatistics:
    held = counts > 0
    rows = int(counts.sum()) + missing
    kind = {"boolean": "boolean", "poisson": "integer"}.get(law, "float")
    if not held.any():
        return ColumnStatistics(name=name, type=kind, rows=rows, nulls=missing, distinct=0)
    values, start = np.unique(VALUES[law][held], return_index=True)
    number = np.add.reduceat(counts[held], start)
    cells = cells_of_values(values, number)
    mean = float(np.average(values, weights=number))
    return ColumnStatistics(
        name=name,
        type=kind,
        rows=rows,
        nulls=missing,
        distinct=len(values),
        min=float(values[0]),
        max=float(values[-1]),
        mean=mean,
        std=float(np.sqrt(np.average((values - mean) ** 2, weights=number))),
        quantiles=tuple(quantile(cells, np.array(QUANTILES)).tolist()),
        bins=to_bins(cells),
    )


def text_column(name: str, counts: np.ndarray, missing: int) -> ColumnStatistics:
    listed = sorted(((f"c{i}", int(c)) for i, c in enumerate(counts) if c), key=lambda x: -x[1])
    return ColumnStatistics(
        name=name,
        type="string",
        rows=int(counts.sum()) + missing,
        nulls=missing,
        distinct=len(listed),
        categories=tuple(listed),
        categories_complete=True,
    )


def drawn_span(
    rng: np.random.Generator, rows: int, effects: np.ndarray, block: int, mark: object
) -> SpanStatistics:
    """A span of 20 columns, each moved by its effect."""
    columns = []
    for name, law, effect in zip(NAMES, NUMBERS + TEXTS, effects, strict=True):
        gone = int(rng.binomial(rows, MISSING.get(name, 0)))
        if isinstance(law, int):
            score = np.linspace(-1.7, 1.7, law)
            counts = draw(rng, tilted(mix(law), score, effect), rows - gone, block)
            columns.append(text_column(name, counts, gone))
        else:
            share = tilted(np.full(ATOMS, 1 / ATOMS), SCORES, effect)
            counts = draw(rng, share, rows - gone, block)
            columns.append(number_column(name, law, counts, gone))
    return SpanStatistics(
        digest=digest(mark, rng.random()), rows=rows, duplicates=0, columns=tuple(columns)
    )


def rows_of(rng: np.random.Generator, rows: int, effects: dict[str, float]) -> pd.DataFrame:
    """Real rows of the 20 columns; an effect moves numbers by so many standard deviations."""
    table = {}
    for name, law in zip(NAMES, NUMBERS + TEXTS, strict=True):
        effect = effects.get(name, 0.0)
        if isinstance(law, int):
            share = tilted(mix(law), np.linspace(-1.7, 1.7, law), effect)
            table[name] = pd.Series(rng.choice(law, rows, p=share)).map("c{}".format)
        elif law == "boolean":
            table[name] = rng.random(rows) < 0.3 + effect * 0.46
        else:
            values = LAWS[law].rvs(rows, random_state=rng).astype(float)
            wide = LAWS[law].std() if np.isfinite(LAWS[law].std()) else 4.0
            table[name] = values + effect * wide
        if name in MISSING:
            table[name] = (
                table[name] if not isinstance(table[name], np.ndarray) else pd.Series(table[name])
            )
            table[name] = table[name].mask(rng.random(rows) < MISSING[name])
    return pd.DataFrame(table)


def profiled(frame: pd.DataFrame, mark: object) -> SpanStatistics:
    return profile_table(pa.Table.from_pandas(frame, preserve_index=False), digest(mark))
