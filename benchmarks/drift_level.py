"""How often anything alarms although nothing drifts.

A pipeline has ``past`` spans, the last three before a gap of one are the reference; then 20 more
spans come, and each is compared with the window and the past moved along with it (with the same
ones, where its size is another). A window alarms where any of its 20 columns does, at the default
level 0.05 and effect 0.1. Kinds: *iid*; *blocks* of 10 equal neighbouring rows; *luck*, each column
of each span tilted at random by about 0.1 standard deviations; *autocorrelated luck* (0.7 from span
to span); a *season of 12* spans of 0.3 standard deviations up and down; *weekends*, two spans of
seven tilted by 0.5.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
from drift_spans import NAMES, drawn_span
from scipy import stats

from everfit.contracts.spec.monitor import MonitorSpec
from everfit.steps.monitor.drift import measure_drift

SPEC = MonitorSpec()


def effects_of(kind: str, rng: np.random.Generator, spans: int) -> tuple[np.ndarray, int]:
    """What moves each column of each span although nothing drifts, and the length of blocks."""
    none = np.zeros((spans, len(NAMES)))
    if kind == "iid":
        return none, 1
    if kind == "blocks":
        return none, 10
    if kind == "luck":
        return rng.normal(0, 0.1, none.shape), 1
    if kind == "autocorrelated luck":
        out = none.copy()
        out[0] = rng.normal(0, 0.1, len(NAMES))
        for t in range(1, spans):
            out[t] = 0.7 * out[t - 1] + rng.normal(0, 0.1 * np.sqrt(1 - 0.49), len(NAMES))
        return out, 1
    phase = rng.uniform(0, 2 * np.pi, len(NAMES))
    if kind == "season of 12":
        wave = np.sin(2 * np.pi * np.arange(spans)[:, None] / 12 + phase)
        return 0.3 * wave + rng.normal(0, 0.03, none.shape), 1
    if kind == "weekends":
        week = (np.arange(spans) % 7 >= 5).astype(float)[:, None]
        return 0.5 * week * np.sign(np.sin(phase)) + rng.normal(0, 0.03, none.shape), 1
    raise ValueError(kind)


def level(kind: str, rows: int, current: int, past: int, windows: int, seed: int) -> dict:
    """Windows in which anything alarms, and in which anything but dispersion would have held."""
    alarms = naive = done = broken = 0
    columns: dict[str, int] = {}
    later = 20
    for stream in range(-(-windows // later)):
        rng = np.random.default_rng([seed, stream])
        effects, block = effects_of(kind, rng, past + later)
        spans = [
            drawn_span(rng, rows if t < past else current, effects[t], block, (seed, stream, t))
            for t in range(past + later)
        ]
        for t in range(past, past + later):
            # The window moves along, unless the current spans are of another size.
            end = t if rows == current else past
            window = spans[end - 4 : end - 1]
            found = measure_drift(window, spans[t], spans[end - past : end], SPEC, NAMES, {})
            drifted = [c.name for c in found.columns if c.drifted]
            for name in drifted:
                columns[name] = columns.get(name, 0) + 1
            alarms += bool(drifted)
            broken += found.state == "broken"
            naive += any(c.score >= SPEC.effect for c in found.columns)
            done += 1
    return {
        "kind": kind,
        "reference": 3 * rows,
        "current": current,
        "past": past,
        "windows": done,
        "alarms": alarms,
        "effect alone": naive,
        "broken": broken,
        "columns": columns,
    }


LEVELS = [
    ("iid", 100, 100, 4),
    ("iid", 100, 100, 16),
    ("iid", 10_000, 10_000, 16),
    ("iid", 1_000_000, 1_000_000, 4),
    ("iid", 10_000, 100, 16),
    ("iid", 100, 10_000, 16),
    ("blocks", 100, 100, 16),
    ("blocks", 10_000, 10_000, 16),
    ("luck", 100, 100, 16),
    ("luck", 10_000, 10_000, 16),
    ("luck", 1_000_000, 1_000_000, 16),
    ("luck", 10_000, 10_000, 6),
    ("luck", 1_000, 100_000, 16),
    ("autocorrelated luck", 10_000, 10_000, 16),
    ("season of 12", 1_000, 1_000, 24),
    ("season of 12", 1_000_000, 1_000_000, 24),
    ("weekends", 1_000, 1_000, 21),
    ("weekends", 1_000_000, 1_000_000, 21),
]


def keep(path: Path, key: str, make) -> dict:
    """A figure computed before, or now."""
    known = json.loads(path.read_text()) if path.exists() else {}
    if key not in known:
        began = time.process_time()
        value = make()
        known = json.loads(path.read_text()) if path.exists() else {}
        known[key] = value | {"cpu": round(time.process_time() - began, 1)}
        path.write_text(json.dumps(known, indent=1))
    return known[key]


def run_levels(out: Path, windows: int, only: str | None) -> None:
    for seed, (kind, rows, current, past) in enumerate(LEVELS):
        if only and only not in kind:
            continue
        key = f"level {kind} {rows} {current} {past} {windows}"
        got = keep(out, key, lambda: level(kind, rows, current, past, windows, seed))  # noqa: B023
        low, high = stats.binomtest(got["alarms"], got["windows"]).proportion_ci(0.95)
        print(
            f"| {kind} | {got['reference']:,} | {current:,} | {past} | {got['windows']} "
            f"| {got['alarms'] / got['windows']:.1%} | {low:.1%} to {high:.1%} "
            f"| {got['effect alone'] / got['windows']:.0%} |",
            flush=True,
        )
