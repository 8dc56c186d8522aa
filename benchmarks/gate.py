"""The gate in simulated years: false promotions, power, and what simpler rules would have done.

``.venv/bin/python benchmarks/gate.py --years 10000`` (``make bench-gate``) simulates 10,000 years
of 52 weekly retrains with 1,000 holdout rows each, in six worlds. Levels come from the policy the
pipeline spends by (``holdout_budget.policy``), bounds from the code evaluate publishes them with
(``scoring.tails``), the effect whose power is measured from the forecast that plan gives
(``holdout_budget.power``). In each world the truth is known; *at the edge* it is exactly what the
gate has to refuse, the hardest case there is. ``--metrics 10000`` adds the misses of the bounds of
AUC, F1, R² and others, in evaluate's own code; ``--methods 100000`` those of other intervals.
Everything is drawn by ``--seed``, whatever ran before.
"""

from __future__ import annotations

import os

os.environ.update({f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")})

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from gate_drift import DECLARED, DRIFTING, drifting_years
from gate_evaluations import alphas, published, years_of
from gate_methods import misses
from gate_metrics import CASES, LEVELS, missed
from gate_naive import RULES, fresh_holdouts, one_holdout
from gate_rare import by_rows_known, levels_of_worlds, rare_report
from gate_search import search_report, worst_worlds
from gate_worlds import WORLDS


def run_worlds(years: int, seed: int) -> list[dict[str, Any]]:
    """Every case of every world with a truth that stays."""
    lines = []
    for number, world in enumerate(WORLDS):
        for case in world.cases:
            false, found = years_of(world, number, case, years, seed)
            lines.append(
                {
                    "world": world.name,
                    "gate": case.says,
                    "truth": case.gain,
                    "edge": case.gain == case.need,
                    **mean("false", false),
                    "power": found.mean(),
                }
            )
            say(f"{world.name}, {case.says}, true gain {case.gain:g}")
    return lines


def run_drift(years: int, seed: int) -> list[dict[str, Any]]:
    """The world that moves."""
    lines = []
    for case in DRIFTING.cases:
        seen = drifting_years(case, years, seed)
        lines.append(
            {
                "world": DRIFTING.name,
                "gate": case.says,
                "at_risk": seen["at_risk"].mean(),
                **mean("false", seen["false"]),
                "promoted": seen["promoted"].mean(),
                "power": seen["found"].mean(),
                "declared": DECLARED[case.intention],
                "power_declared": seen["found_declared"].mean(),
            }
        )
        say(f"{DRIFTING.name}, {case.says}")
    return lines


def run_rules(years: int, seed: int) -> dict[str, dict[str, float]]:
    """Rule → promotions a year where every one is false."""
    columns = {"fresh holdouts": fresh_holdouts(years, seed)}
    say("simpler rules, fresh holdouts")
    for stays, name in ((True, "one holdout, champion stays"), (False, "one holdout")):
        columns[name] = one_holdout(years, seed, 365.25, stays)
        say(name)
    columns["one holdout of 30 days"] = {
        "the gate": one_holdout(years, seed, 30, False, rules=("the gate",))["the gate"]
    }
    return {
        name: {rule: float(count.mean()) for rule, count in column.items()}
        for name, column in columns.items()
    }


def mean(name: str, years: np.ndarray) -> dict[str, float]:
    """A mean over years with its standard error."""
    return {name: float(years.mean()), f"{name}_error": float(years.std() / np.sqrt(years.size))}


def report(figures: dict[str, Any]) -> str:
    """The figures as the tables of docs/explanation/gate.md."""
    lines = [
        "| world | gate | true gain | false promotions a year | power |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for one in figures["worlds"]:
        truth = f"{one['truth']:g}" + (" (edge)" if one["edge"] else "")
        lines.append(
            f"| {one['world']} | {one['gate']} | {truth} | {one['false']:.4f} ± "
            f"{one['false_error']:.4f} | {one['power']:.1%} |"
        )
    for one in figures["drift"]:
        lines.append(
            f"| {one['world']} | {one['gate']} | moves | {one['false']:.4f} ± "
            f"{one['false_error']:.4f} | {one['power']:.1%}; of {one['declared']:g} or more: "
            f"{one['power_declared']:.1%} |"
        )
    lines += [
        "",
        "| rule | " + " | ".join(figures["rules"]) + " |",
        "| --- |" + " ---: |" * len(figures["rules"]),
    ]
    for rule in (*RULES, "1 percentage point, on different rows"):
        cells = [
            f"{column[rule]:.3f}" if rule in column else "" for column in figures["rules"].values()
        ]
        lines.append(f"| {rule} | " + " | ".join(cells) + " |")
    if figures["metrics"]:
        lines += [
            "",
            "| metric | units | too high, of "
            + ", ".join(f"{one:.2g}" for one in LEVELS)
            + " | too low | absent |",
            "| --- | ---: | ---: | ---: | ---: |",
        ]
        for one in figures["metrics"]:
            low, high = (", ".join(f"{x:.2f}" for x in one[side]) for side in ("low", "high"))
            lines.append(f"| {one['metric']} | {one['units']} | {low} | {high} | {one['absent']} |")
    if figures["methods"]:
        lines += [
            "",
            "| losses | interval | misses of 0.025, 0.004, 0.001 |",
            "| --- | --- | ---: |",
        ]
        for law, method, shares in figures["methods"]:
            lines.append(f"| {law} | {method} | {', '.join(f'{x:.2f}' for x in shares)} |")
    return "\n".join(lines)


BEGAN = time.process_time()


def say(what: str) -> None:
    print(f"{time.process_time() - BEGAN:6.0f} CPU s  {what}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--years", type=int, default=10_000)
    parser.add_argument("--metrics", type=int, default=0, help="evaluations per metric; 0: none")
    parser.add_argument("--methods", type=int, default=0, help="evaluations per method; 0: none")
    parser.add_argument("--rare", type=int, default=20_000, help="evaluations per rare world")
    parser.add_argument("--search", type=int, default=0, help="worlds drawn at random; 0: none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="figures as JSON")
    asked = parser.parse_args()
    spends = alphas()
    figures: dict[str, Any] = {
        "years": asked.years,
        "seed": asked.seed,
        "alpha": spends[-1],
        "level": published(spends[-1]),
        "worlds": run_worlds(asked.years, asked.seed),
        "drift": run_drift(asked.years, asked.seed),
        "rules": run_rules(asked.years, asked.seed),
        "metrics": [
            vars(one)
            for case in CASES
            if asked.metrics
            for one in missed(*case, asked.metrics, asked.seed)
        ],
        "methods": misses(asked.methods, asked.seed) if asked.methods else [],
    }
    if asked.rare:
        lines, known = (of(asked.rare, asked.seed) for of in (levels_of_worlds, by_rows_known))
        figures |= {"rare": lines, "known": known}
        print(f"\n{rare_report(lines, known)}", flush=True)
    if asked.search:
        say(f"{asked.search:,} worlds drawn at random, the worst first")
        print(f"\n{search_report(worst_worlds(asked.search, 2_000, asked.seed))}\n", flush=True)
    if asked.out:
        asked.out.write_text(json.dumps(figures, indent=1, default=float))
    print(
        f"\n{asked.years:,} years, each evaluation spends {spends[-1]:.6f}, judged at "
        f"{published(spends[-1]):.6f}\n\n{report(figures)}"
    )


if __name__ == "__main__":
    main()
