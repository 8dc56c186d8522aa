"""How often a champion is called worse without being so, and how soon when it is.

    .venv/bin/python benchmarks/decay.py [--champions 200] [--json FILE]

Method: in each world a champion is fitted on four spans, judged on the next, and meets 26 more. On
each the recipe is fitted afresh on the four spans before, and both are compared by monitoring's
own ``rises`` and ``Life``; the trigger's own ``decay`` condition reads what was measured, with
``monitor.decay_level`` as it is by default and without it. *False alarms*: champions of a world
that never changes for which the condition holds on any of 26 spans, in one span and in 2 of 3.
*Delay*: spans from the first bad one to the one on which 2 of 3 fires, that one included, where
from the first or the thirteenth span of its life on the champion's loss is 10 to 100 % higher (its
predictions are off by a fixed function of the row). A champion that is not found out within 26
spans counts as 27.

Worlds: *rows* a span; a regression tree of 40 leaves on six columns, or a linear model on eight;
*luck*: each span has coefficients of its own, which no model can know beforehand; *bursts*: ten
rows in a row share most of their noise.
"""

from __future__ import annotations

import os

os.environ.update({f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")})

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeRegressor

from everfit.contracts.messages.monitoring import Rise
from everfit.contracts.messages.planning import Trigger
from everfit.contracts.messages.trigger_facts import Facts, MeasuredSpan
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.spec.triggers.kinds.decay import Decay
from everfit.ml.scoring.resampling import Design
from everfit.ml.scoring.scored import Scored
from everfit.steps.monitor.decay import rises
from everfit.steps.monitor.life import Life
from everfit.steps.monitor.reference_score import ReferenceScore

Array = np.ndarray

LIFE = 26
WINDOW = 4
MORE = (0.1, 0.25, 0.5, 1.0)
STARTS = (1, 13)
RULES = {"every span at 5 %": None, "5 % a life": 0.05}
LASTING = ("1 of 1", "2 of 3")


@dataclass(frozen=True)
class World:
    """One way in which spans come about."""

    name: str
    rows: int
    model: Callable[[], LinearRegression | DecisionTreeRegressor]
    columns: int
    luck: float = 0.0
    burst: int = 1


def _tree() -> DecisionTreeRegressor:
    return DecisionTreeRegressor(max_leaf_nodes=40, min_samples_leaf=5, random_state=0)


WORLDS = (
    World("linear, 1,000 rows", 1_000, LinearRegression, 8),
    World("linear, 1,000 rows, luck", 1_000, LinearRegression, 8, luck=0.35),
    World("tree, 1,000 rows", 1_000, _tree, 6),
    World("tree, 300 rows", 300, _tree, 6),
    World("tree, 1,000 rows, bursts", 1_000, _tree, 6, burst=10),
)


class Champion:
    """One champion's life: its spans, one after another."""

    def __init__(self, world: World, seed: int, more: float, start: int) -> None:
        self.world, self.rng = world, np.random.default_rng([seed, int(100 * more), start])
        self.truth = self.rng.normal(0, 1, world.columns)
        self.off, self.start = _off(more), start
        self.past = [self._span() for _ in range(WINDOW)]
        self.model = self._fitted()
        rows, truth = self._span()
        losses = np.abs(self.model.predict(rows) - truth)
        self.judged = ReferenceScore({"mae": float(losses.mean())}, losses, True, True, 7)
        self.past = [*self.past[1:], (rows, truth)]

    def _span(self) -> tuple[Array, Array]:
        world, rng = self.world, self.rng
        rows = rng.normal(0, 1, (world.rows, world.columns))
        noise = rng.normal(0, 1, world.rows)
        if world.burst > 1:
            shared = np.repeat(rng.normal(0, 1, world.rows // world.burst), world.burst)
            noise = 0.8 * shared + 0.6 * noise
        luck = world.luck * rng.normal(0, 1, world.columns) / np.sqrt(world.columns)
        return rows, rows @ (self.truth + luck) + noise

    def _fitted(self) -> LinearRegression | DecisionTreeRegressor:
        rows = np.concatenate([rows for rows, _ in self.past])
        return self.world.model().fit(rows, np.concatenate([truth for _, truth in self.past]))

    def life(self, first: int = 1) -> Iterator[dict[str, MeasuredSpan]]:
        """Rule → its spans from a place on; those before are lived and not looked at."""
        lives = {rule: Life(whole) for rule, whole in RULES.items()}
        place = 0
        while True:
            place += 1
            rows, truth = self._span()
            if place >= first:
                found = self._rises(place, rows, truth)
                yield {
                    rule: MeasuredSpan(
                        f"{place:03}", "measured", 0.0, 0.0, (), life.tested(place, found)
                    )
                    for rule, life in lives.items()
                }
            self.past = [*self.past[1:], (rows, truth)]

    def _rises(self, place: int, rows: Array, truth: Array) -> tuple[Rise, ...]:
        ours = self.model.predict(rows)
        if place >= self.start:
            spread = float(np.abs(ours - truth).mean()) / float(np.sqrt(2 / np.pi))
            ours = ours + self.off * spread * np.sign(rows[:, 0] * rows[:, 1])
        found, _ = rises(
            Scored("regression", truth, ours),
            Design(len(truth), True, None, 7),
            self.judged,
            ["mae"],
            labelled=1.0,
            fresh=Scored("regression", truth, self._fitted().predict(rows)),
        )
        return found


def _off(more: float) -> float:
    """How far predictions must be off, in deviations, for an absolute error that much higher."""

    def error(by: float) -> float:
        return float(by * (2 * norm.cdf(by) - 1) + 2 * norm.pdf(by))

    return float(brentq(lambda by: error(by) - (1 + more) * error(0), 0, 50)) if more else 0.0


SPEC = PipelineSpec.model_validate(
    {
        "name": "p",
        "task": "regression",
        "target": "y",
        "source": {"uri": "{data}/*.csv"},
        "gate": {"superior_by": "1%", "baseline": "mean", "metric": "mae"},
    }
)


def fires(lasting: str, measured: list[MeasuredSpan]) -> bool:
    """Whether the condition holds after the last of the spans."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    facts = Facts(
        now, now, now, Trigger(), False, None, (), 1, tuple(measured), None, (), (), (), "", "", ""
    )
    condition = Decay.model_validate({"kind": "decay", "for": lasting})
    return condition.evaluate(SPEC, facts).fired


def false_alarms(world: World, champions: int) -> dict[str, float]:
    """Share of champions of a world without change for which a rule ever holds."""
    found = {f"{rule}, {lasting}": 0 for rule in RULES for lasting in LASTING}
    relative = []
    for seed in range(champions):
        ever: set[str] = set()
        measured: list[dict[str, MeasuredSpan]] = []
        for span in Champion(world, seed, 0.0, 1).life():
            measured.append(span)
            for rule in RULES:
                for lasting in LASTING:
                    if fires(lasting, [one[rule] for one in measured]):
                        ever.add(f"{rule}, {lasting}")
                rise = span[rule].rises[0]
            relative.append(rise.excess / rise.yardstick)
            if len(measured) == LIFE:
                break
        for name in ever:
            found[name] += 1
    shares = {name: count / champions for name, count in found.items()}
    return shares | {"deviation of the excess": round(float(np.std(relative)), 4)}


def delays(world: World, champions: int, more: float, start: int) -> dict[str, list[int]]:
    """Spans until 2 of 3 fires, of each champion, by rule."""
    found: dict[str, list[int]] = {rule: [] for rule in RULES}
    for seed in range(champions):
        measured: list[dict[str, MeasuredSpan]] = []
        waiting = set(RULES)
        for span in Champion(world, 10_000 + seed, more, start).life(start):
            measured.append(span)
            for rule in sorted(waiting):
                if fires("2 of 3", [one[rule] for one in measured]):
                    found[rule].append(len(measured))
                    waiting.discard(rule)
            if not waiting or len(measured) == LIFE:
                break
        for rule in waiting:
            found[rule].append(LIFE + 1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--champions", type=int, default=200)
    parser.add_argument("--changed", type=int, default=40, help="champions of each change")
    parser.add_argument("--only", nargs="*", default=[], help="names of worlds")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    kept: dict[str, dict[str, object]] = {}
    for world in WORLDS:
        if options.only and world.name not in options.only:
            continue
        kept[world.name] = dict(false_alarms(world, options.champions))
        print(world.name, kept[world.name], flush=True)
        for start in STARTS:
            for more in MORE:
                found = delays(world, options.changed, more, start)
                told = {
                    rule: f"median {np.median(spans):g}, mean {np.mean(spans):.1f}"
                    for rule, spans in found.items()
                }
                kept[world.name][f"{more:.0%} worse from span {start}"] = told
                print(f"  {more:.0%} worse from span {start}: {told}", flush=True)
        if options.json:
            options.json.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
