"""False drift windows in a ledger of many pipelines: one rate over all of them, and others.

    .venv/bin/python benchmarks/fleet.py [--fleets 20]

Method: 100 pipelines have 26 windows each, in turn. A window is its p-value of no drift: of a
normal score whose noise is half the pipeline's own, the same for all of its windows (they share a
reference), and half the window's. In each round one pipeline in a hundred (or none, or one in ten)
begins to drift, by so many standard errors, for three rounds. *False*: windows found to drift
though they do not, per round. *Found*: of the drifts, those of which any window is found. *Share*:
of the windows found, those that are false. The level of *one rate* is the product's own
(``ml.fleet_level``). *LORD++* [1]_ is one stream over all windows in the order they come, with the
sequence of its authors and half of the rate as its first wealth. ``--power N`` plants changes in
the worlds of ``drift_worlds.py`` and tests them with the real test of drift, at the shares of 1, 10
and 100 pipelines.

References
----------
.. [1] Ramdas, A., Yang, F., Wainwright, M. J. and Jordan, M. I. (2017). Online control of the false
   discovery rate with decaying memory. Advances in Neural Information Processing Systems 30.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from scipy.stats import norm

from everfit.ml.fleet_level import Elsewhere, drift_level

Array = np.ndarray

PIPELINES, ROUNDS, RATE, LASTS = 100, 26, 0.05, 3
RULES = ("each at 5 %", "one rate", "LORD++")


def drawn(rng: np.random.Generator, begins: float, by: float) -> tuple[Array, Array]:
    """P-values, and 0 or the number of the drift they show; both (rounds, pipelines)."""
    own = rng.normal(0, 1, PIPELINES)
    scores = (own + rng.normal(0, 1, (ROUNDS, PIPELINES))) / np.sqrt(2)
    drifts = np.zeros((ROUNDS, PIPELINES), dtype=np.int64)
    for number, place in enumerate(np.argwhere(rng.random((ROUNDS, PIPELINES)) < begins), start=1):
        drifts[place[0] : place[0] + LASTS, place[1]] = number
    return norm.sf(scores + by * (drifts > 0)), drifts


def one_rate() -> Callable[[int, float], bool]:
    """The product's own level, window by window."""
    newest = {f"{number}": "2026-01-01T00:00:00.000Z" for number in range(PIPELINES)}
    windows: list[tuple[str, str]] = []
    last = dict.fromkeys(newest, 0)

    def drifts(pipeline: int, p_value: float) -> bool:
        name = f"{pipeline}"
        tested = drift_level(name, RATE, RATE, Elsewhere(newest, windows[last[name] :]))
        last[name] = len(windows)
        if p_value <= tested.share:
            windows.append((name, f"{len(windows)}"))
        return bool(p_value <= tested.level)

    return drifts


def lord() -> Callable[[int, float], bool]:
    """LORD++ over one stream."""
    tests = np.arange(1, PIPELINES * ROUNDS + 2, dtype=np.float64)
    spread = 0.07720838 * np.log(np.maximum(tests, 2)) / (tests * np.exp(np.sqrt(np.log(tests))))
    found: list[int] = []
    time = 0

    def drifts(_pipeline: int, p_value: float) -> bool:
        nonlocal time
        time += 1
        level = RATE / 2 * spread[time - 1]
        level += sum(
            (RATE / 2 if n == 0 else RATE) * spread[time - at - 1] for n, at in enumerate(found)
        )
        if p_value <= level:
            found.append(time)
        return bool(p_value <= level)

    return drifts


def each() -> Callable[[int, float], bool]:
    """Every window on its own."""
    return lambda _pipeline, p_value: bool(p_value <= RATE)


def run(fleets: int, begins: float, by: float) -> dict[str, str]:
    """Rule → what came of it."""
    counts = {rule: [0, 0, 0, 0] for rule in RULES}
    for seed in range(fleets):
        p_values, drifts = drawn(np.random.default_rng([seed, int(1000 * begins)]), begins, by)
        for rule, made in zip(RULES, (each, one_rate, lord), strict=True):
            decide, found = made(), set()
            total = counts[rule]
            for number in range(ROUNDS):
                for pipeline in range(PIPELINES):
                    if decide(pipeline, p_values[number, pipeline]):
                        drift = int(drifts[number, pipeline])
                        total[0] += not drift
                        total[1] += bool(drift)
                        found.add(drift)
            total[2] += len(found - {0})
            total[3] += len(set(np.unique(drifts)) - {0})
    return {
        rule: f"{false / fleets / ROUNDS:.2f} false a round, "
        + (f"{caught / there:.0%} found, " if there else "")
        + f"share {false / max(false + true, 1):.0%}"
        for rule, (false, true, caught, there) in counts.items()
    }


def powers(streams: int) -> None:
    """Changes that monitoring's own test finds at the shares of 1, 10 and 100 pipelines."""
    from drift_table import CHANGES, POWERS, SPEC, began
    from drift_worlds import WORLDS, span_of

    from everfit.steps.monitor.drift import measure_against

    for name, change in POWERS:
        hits = dict.fromkeys((1, 10, 100), 0)
        for stream in range(streams):
            rng = np.random.default_rng([1, stream, *name.encode()])
            known, number = began(WORLDS[name], rng, 3)
            for step in range(8):
                known = known.and_then(span_of(WORLDS[name], rng, number + step, None))
            changed = span_of(WORLDS[name], rng, number + 8, CHANGES[change])
            found = measure_against(known, changed, SPEC, {}).columns
            for shared in hits:
                hits[shared] += any(
                    one.adjusted < RATE / shared and one.score >= SPEC.effect for one in found
                )
        shares = ", ".join(f"{hit / streams:.0%} at {RATE / n:.2%}" for n, hit in hits.items())
        print(f"{name}, {change}: {shares}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fleets", type=int, default=20)
    parser.add_argument("--power", type=int, default=0, help="streams of each planted change")
    options = parser.parse_args()
    if options.power:
        powers(options.power)
        return
    for begins, by in ((0.0, 0.0), (0.01, 4.0), (0.01, 6.0), (0.1, 4.0), (0.1, 6.0)):
        print(f"{begins:.0%} begin to drift a round, by {by:g} standard errors")
        for rule, told in run(options.fleets, begins, by).items():
            print(f"  {rule:12} {told}", flush=True)


if __name__ == "__main__":
    main()
