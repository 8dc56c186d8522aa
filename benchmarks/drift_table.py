"""Level and power of drift in every world: promised, measured, standard error, not assessed.

A stream is a pipeline: ``reference`` spans that a champion was trained on, then ``LATER`` more,
each compared with it and then part of the past. A window is wrong where any column alarms, or a
hard check breaks it, although nothing has changed. Standard errors are over streams, whose windows
share the reference. Power: a change is planted in one span after a reference of three and eight
more.

Figures are kept in a file, by world, so that a run goes on where the last one ended.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from drift_worlds import COLUMNS, NUMBERS, TEXTS, WORLDS, Array, World, span_of

from everfit.contracts.spec.monitor import MonitorSpec
from everfit.steps.monitor.drift import DriftMeasured, measure_against
from everfit.steps.monitor.reference import Reference, prepare_reference

SPEC = MonitorSpec()
LATER = 12
REFERENCES = (1, 2, 3, 6, 12, 24)
Change = Callable[[Array], None]


def mean(by: float) -> Change:
    """One normal column moves by so many standard deviations."""

    def change(scores: Array) -> None:
        scores[:, 0] += by

    return change


def category(scores: Array) -> None:
    """One category of 10 % becomes 15 %."""
    chosen = np.random.default_rng(len(scores)).random(len(scores)) < 0.05 / 0.9
    scores[chosen, len(NUMBERS) + list(TEXTS).index("tenths")] = -9.0


def missing(scores: Array) -> None:
    """Missing values go from 2 % to 6 %."""
    chosen = np.random.default_rng(len(scores)).random(len(scores)) < 0.04 / 0.98
    scores[chosen, -1] = -9.0


CHANGES: dict[str, Change] = {
    "mean by 0.1 sd": mean(0.1),
    "mean by 0.2 sd": mean(0.2),
    "mean by 0.5 sd": mean(0.5),
    "mean by 1 sd": mean(1.0),
    "category 10 % to 15 %": category,
    "missing 2 % to 6 %": missing,
}
POWERS = (
    ("independent", "mean by 0.2 sd"),
    ("independent", "mean by 0.5 sd"),
    ("independent", "category 10 % to 15 %"),
    ("independent", "missing 2 % to 6 %"),
    ("independent, 10,000 rows", "mean by 0.1 sd"),
    ("independent, 10,000 rows", "mean by 0.2 sd"),
    ("independent, 10,000 rows", "category 10 % to 15 %"),
    ("independent, 10,000 rows", "missing 2 % to 6 %"),
    ("AR(1) 0.9", "mean by 0.5 sd"),
    ("AR(1) 0.9", "mean by 1 sd"),
    ("200 entities a span", "mean by 0.5 sd"),
    ("20 entities a span", "mean by 1 sd"),
    ("span luck 0.1", "mean by 0.5 sd"),
)


def began(world: World, rng: np.random.Generator, spans: int) -> tuple[Reference, int]:
    """A champion's window, from some day of the calendar on, and the number of the next span."""
    first = int(rng.integers(0, 84))
    window = [span_of(world, rng, first + k, None) for k in range(spans)]
    return prepare_reference(window, window, COLUMNS), first + spans


def wrong(found: DriftMeasured) -> bool:
    """Whether anything alarms or is broken."""
    return found.state != "measured" or any(column.drifted for column in found.columns)


def level(
    world: World, reference: int, streams: int, seed: int = 0, later: int = LATER
) -> dict[str, float]:
    """Windows that are wrong although nothing changes."""
    shares, blind = [], []
    for stream in range(streams):
        rng = np.random.default_rng([seed, reference, stream, *world.name.encode()])
        known, number = began(world, rng, reference)
        alarms = unassessed = 0
        for step in range(later):
            current = span_of(world, rng, number + step, None)
            found = measure_against(known, current, SPEC, {})
            known = known.and_then(current)
            alarms += wrong(found)
            unassessed += not any(column.assessed for column in found.columns)
        shares.append(alarms / later)
        blind.append(unassessed / later)
    error = float(np.std(shares, ddof=1) / np.sqrt(streams)) if streams > 1 else float("nan")
    return {
        "wrong": float(np.mean(shares)),
        "error": error,
        "not assessed": float(np.mean(blind)),
        "windows": streams * later,
    }


def power(world: World, change: Change, streams: int, seed: int = 1) -> dict[str, float]:
    """Windows in which a planted change alarms."""
    hits = 0
    for stream in range(streams):
        rng = np.random.default_rng([seed, stream, *world.name.encode()])
        known, number = began(world, rng, 3)
        for step in range(8):
            known = known.and_then(span_of(world, rng, number + step, None))
        found = measure_against(known, span_of(world, rng, number + 8, change), SPEC, {})
        hits += any(column.drifted for column in found.columns)
    share = hits / streams
    return {"found": share, "error": float(np.sqrt(share * (1 - share) / streams))}


def keep(path: Path, key: str, make: Callable[[], dict[str, float]]) -> dict[str, float]:
    """A figure computed before, or now."""
    known = json.loads(path.read_text()) if path.exists() else {}
    if key not in known:
        start = time.process_time()
        value = make()
        known = json.loads(path.read_text()) if path.exists() else {}
        known[key] = value | {"cpu": round(time.process_time() - start, 1)}
        path.write_text(json.dumps(known, indent=1))
    return known[key]


def run_table(
    out: Path, streams: int, only: str | None = None, references: tuple[int, ...] = REFERENCES
) -> None:
    """Print both tables, as the docs have them."""
    print("| world | reference spans | promised | measured | standard error | not assessed |")
    print("| --- | --- | --- | --- | --- | --- |")
    for world in WORLDS.values():
        if only and only not in world.name:
            continue
        for spans in references:
            key = f"level {world.name} {spans} {streams}"
            got = keep(out, key, lambda: level(world, spans, streams))  # noqa: B023
            print(
                f"| {world.name} | {spans} | {SPEC.level:.0%} | {got['wrong']:.1%} | "
                f"{got['error']:.1%} | {got['not assessed']:.0%} |",
                flush=True,
            )
    print("\n| world | change | found | standard error |")
    print("| --- | --- | --- | --- |")
    for name, change in POWERS:
        if only and only not in name:
            continue
        key = f"power {name} {change} {streams}"
        got = keep(out, key, lambda: power(WORLDS[name], CHANGES[change], streams))  # noqa: B023
        print(f"| {name} | {change} | {got['found']:.0%} | {got['error']:.0%} |", flush=True)
