"""How often a shift is seen, beside the tests Evidently's preset chooses.

Real rows: a reference of 10,000 in three spans, five spans of the same size before it, and a
current span in which one or three of the 20 columns are shifted. Everfit profiles the spans and
compares all columns; Evidently's own functions for large references (Wasserstein distance / std at
0.1 for numbers of more than five values, Jensen-Shannon distance at 0.1 for the others) are called
on the same rows of the shifted columns. Both count windows in which any shifted column alarms.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from drift_level import SPEC, keep
from drift_spans import NAMES, drawn_span, profiled, rows_of

from everfit.steps.monitor.drift import measure_drift


def evidently_alarms(reference: pd.DataFrame, current: pd.DataFrame, names: list[str]) -> set[str]:
    """Columns that alarm by the tests its preset chooses above 1,000 reference rows."""
    from evidently.legacy.calculations.stattests import jensenshannon, wasserstein_distance_norm
    from evidently.legacy.core import ColumnType

    found = set()
    for name in names:
        old, new = reference[name].dropna(), current[name].dropna()
        if pd.api.types.is_numeric_dtype(old) and old.dtype != bool and old.nunique() > 5:
            score, _ = wasserstein_distance_norm._wasserstein_distance_norm(
                old, new, ColumnType.Numerical, 0.1
            )
        else:
            score, _ = jensenshannon._jensenshannon(old, new, ColumnType.Categorical, 0.1)
        if score >= 0.1:
            found.add(name)
    return found


SHIFTED = {
    "normal": ["normal1"],
    "lognormal": ["lognormal8"],
    "Student t (2)": ["student11"],
    "text of 4": ["text4"],
    "three columns": ["normal1", "lognormal8", "text4"],
}
POWERS = [
    ("normal", 0.1, 10_000, 2_000),
    ("normal", 0.15, 10_000, 2_000),
    ("normal", 0.2, 10_000, 2_000),
    ("lognormal", 0.2, 10_000, 2_000),
    ("Student t (2)", 0.2, 10_000, 2_000),
    ("text of 4", 0.35, 10_000, 2_000),
    ("three columns", 0.15, 10_000, 10_000),
]


def power(names: str, effect: float, rows: int, current: int, windows: int, seed: int) -> dict:
    """Windows in which a shifted column alarms; ours with 8 past spans, the last 3 the reference.

    A window's past spans are the reference's rows cut in three and spans of that size before.
    """
    shifted = SHIFTED[names]
    ours = theirs = false = 0
    third = rows // 3
    for window in range(windows):
        rng = np.random.default_rng([seed, window])
        old = [drawn_span(rng, third, np.zeros(len(NAMES)), 1, (seed, window, t)) for t in range(5)]
        reference = rows_of(rng, 3 * third, {})
        parts = [reference.iloc[k * third : (k + 1) * third] for k in range(3)]
        window_spans = [profiled(part, (seed, window, "r", k)) for k, part in enumerate(parts)]
        now = rows_of(rng, current, dict.fromkeys(shifted, effect))
        found = measure_drift(
            window_spans,
            profiled(now, (seed, window, "now")),
            [*old, *window_spans],
            SPEC,
            NAMES,
            {},
        )
        drifted = {column.name for column in found.columns if column.drifted}
        ours += bool(drifted & set(shifted))
        theirs += bool(evidently_alarms(reference, now, shifted))
        false += bool(drifted - set(shifted))
    return {
        "shift": names,
        "effect": effect,
        "reference": 3 * third,
        "current": current,
        "windows": windows,
        "ours": ours,
        "evidently": theirs,
        "others, ours": false,
    }


def run_powers(out: Path, windows: int) -> None:
    for seed, (names, effect, rows, current) in enumerate(POWERS):
        key = f"power {names} {effect} {rows} {current} {windows}"
        got = keep(out, key, lambda: power(names, effect, rows, current, windows, 1_000 + seed))  # noqa: B023
        shares = [got[k] / windows for k in ("ours", "evidently", "others, ours")]
        print(
            f"| {names} | {effect} | {rows:,} | {current:,} | {windows} | "
            + " | ".join(f"{share:.1%}" for share in shares)
            + " |",
            flush=True,
        )
