"""A synthetic table for the benchmarks: 20 columns, a binary target, four monthly CSV files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

MONTHS = ("2024-01", "2024-02", "2024-03", "2024-04")


def write_months(folder: Path, rows: int, seed: int = 11) -> None:
    """Write ``rows`` rows in four files: 13 numbers, 5 categories, a timestamp and the target."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, month in enumerate(MONTHS):
        random = np.random.default_rng((seed, index))
        n = rows // len(MONTHS)
        numbers = random.normal(size=(n, 13)).round(4)
        numbers[random.random((n, 13)) < 0.02] = np.nan
        frame = pd.DataFrame(numbers, columns=[f"number_{i:02d}" for i in range(13)])
        for i, levels in enumerate((3, 5, 8, 20, 300)):
            frame[f"category_{i}"] = [f"level_{k}" for k in random.integers(0, levels, n)]
        start = pd.Timestamp(month + "-01")
        frame["at"] = (
            start + pd.to_timedelta(np.sort(random.integers(0, 27 * 86_400, n)), unit="s")
        ).astype("datetime64[s]")
        signal = (
            np.nan_to_num(numbers[:, 0])
            + np.nan_to_num(numbers[:, 1]) * np.nan_to_num(numbers[:, 2])
            + 0.5 * (frame["category_1"] == "level_2")
        )
        frame["bought"] = (random.random(n) < 1 / (1 + np.exp(-signal))).astype(int)
        frame.to_csv(folder / f"{month}.csv", index=False)
