"""Drift beside Evidently: CPU, and simulations of level and power.

``.venv/bin/python benchmarks/drift.py cpu`` takes one table of 200,000 rows and 18 columns (13
numbers, 5 texts) as the reference and another of the same laws as the current span. Everfit:
profile of the current span from memory, then the comparison with the stored statistics of the
reference and of 9 older spans. Evidently: ``Report([DataDriftPreset()]).run`` on the same columns,
as pandas frames, and nothing else of it (no HTML). CPU seconds of this process, one thread, in
turn; imports are not counted.

``… table`` runs the worlds of ``drift_worlds.py``, level and power; ``… search`` looks for the
world in which most windows are wrong. ``… level`` and ``… power`` run the simulations of
``drift_level.py`` and ``drift_power.py``. Their figures are kept in a file, by seed, so that a run
goes on where the last one ended.
"""

from __future__ import annotations

import os

os.environ.update({f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")})

import argparse
import statistics
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from drift_level import SPEC, run_levels
from drift_power import run_powers
from drift_search import search
from drift_spans import digest, mix, profiled
from drift_table import run_table

from everfit.ml.profiles.span_statistics import profile_table
from everfit.steps.monitor.drift import measure_against
from everfit.steps.monitor.reference import prepare_reference


def table_of(rng: np.random.Generator, rows: int) -> pd.DataFrame:
    """13 numbers, 5 texts."""
    table = {f"normal{i}": rng.normal(i, 1 + i, rows) for i in range(6)}
    table |= {f"skewed{i}": np.round(rng.lognormal(1, 0.8, rows), 2) for i in range(4)}
    table |= {f"count{i}": rng.poisson(3 + 4 * i, rows) for i in range(3)}
    for k in (2, 4, 12, 60, 250):
        table[f"text{k}"] = np.array([f"c{i}" for i in range(k)])[rng.choice(k, rows, p=mix(k))]
    return pd.DataFrame(table)


def run_cpu(out: Path, rows: int, times: int) -> None:
    warnings.simplefilter("ignore")
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    rng = np.random.default_rng(0)
    reference, current = table_of(rng, rows), table_of(rng, rows)
    names = list(reference.columns)
    past = [profiled(table_of(rng, 20_000), ("past", k)) for k in range(9)]
    thirds = [reference.iloc[k * rows // 3 : (k + 1) * rows // 3] for k in range(3)]
    window = [profiled(part, ("window", k)) for k, part in enumerate(thirds)]
    arrow = pa.Table.from_pandas(current, preserve_index=False)
    numbers = [n for n in names if not n.startswith("text")]
    texts = [n for n in names if n.startswith("text")]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=texts)
    ours, theirs = [], []
    for turn in range(times):
        began = time.process_time()
        span = profile_table(arrow, digest("now", turn))
        middle = time.process_time()
        prepared = prepare_reference(window, [*past, *window], names)
        found = measure_against(prepared, span, SPEC, {})
        ended = time.process_time()
        ours.append((middle - began, ended - middle))
        assert len(found.columns) == len(names)
        began = time.process_time()
        Report([DataDriftPreset()]).run(
            Dataset.from_pandas(current, data_definition=definition),
            Dataset.from_pandas(reference, data_definition=definition),
        )
        theirs.append(time.process_time() - began)
    profile, compare = (statistics.median(part[k] for part in ours) for k in (0, 1))
    evidently = statistics.median(theirs)
    ratios = sorted(b / (a[0] + a[1]) for a, b in zip(ours, theirs, strict=True))
    print(
        f"{rows:,} x {len(names)}, {times} turns, medians of CPU s: profile {profile:.3f}, "
        f"compare {compare:.3f}, Evidently {evidently:.2f}; turn by turn Evidently / Everfit "
        + ", ".join(f"{ratio:.1f}" for ratio in ratios)
    )
    print("first turn:", ours[0], theirs[0])
    del out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["table", "search", "level", "power", "cpu"])
    parser.add_argument("--windows", type=int, default=1000)
    parser.add_argument("--streams", type=int, default=40)
    parser.add_argument("--worlds", type=int, default=60)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("drift-figures.json"))
    parser.add_argument("--only")
    args = parser.parse_args()
    if args.what == "table":
        run_table(args.out, args.streams, args.only)
    elif args.what == "search":
        print(search(args.worlds, 4))
    elif args.what == "level":
        run_levels(args.out, args.windows, args.only)
    elif args.what == "power":
        run_powers(args.out, args.windows)
    else:
        run_cpu(args.out, args.rows, args.times)


if __name__ == "__main__":
    main()
