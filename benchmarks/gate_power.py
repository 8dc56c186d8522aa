"""How often a gain of 10 % is found on 1,000 rows, by the bound and by the gate with its checks.

Two models of one target, the candidate's score 10 % better than the champion's, through evaluate's
own functions: scores, parts, what a row could cost, and the bound at the level of a weekly look.
``.venv/bin/python benchmarks/gate_power.py``
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from gate_evaluations import alphas, published
from gate_worlds import Floats, Rng

from everfit.contracts.spec.margins import Margin
from everfit.contracts.spec.metrics import METRICS
from everfit.ml.scoring.metric_sums import exact_score, metric_sums
from everfit.ml.scoring.resampling import Resampling
from everfit.ml.scoring.scored import Scored
from everfit.ml.scoring.tails import tails
from everfit.ml.scoring.unseen import known_rows, may_take, of_row_loss, worst_gains, worst_of

ROWS, GAIN, SHARED = 1_000, 0.1, 0.5
"""SHARED: of a model's own error, what both models have in common."""


def _number(noise: Callable[[Rng, int], Floats]) -> Callable[..., tuple[Scored, Scored]]:
    def draw(rng: Rng, rows: int, ours: float, theirs: float) -> tuple[Scored, Scored]:
        signal, common = 2 * rng.standard_normal(rows), rng.standard_normal(rows)
        truth = signal + noise(rng, rows)
        models = [
            signal + off * (SHARED**0.5 * common + (1 - SHARED) ** 0.5 * rng.standard_normal(rows))
            for off in (ours, theirs)
        ]
        one, two = (Scored.of("regression", truth, model) for model in models)
        return one, two

    return draw


def _classes(shift: float) -> Callable[..., tuple[Scored, Scored]]:
    def draw(rng: Rng, rows: int, ours: float, theirs: float) -> tuple[Scored, Scored]:
        signal, common = 1.5 * rng.standard_normal(rows) + shift, rng.standard_normal(rows)
        truth = (rng.random(rows) < 1 / (1 + np.exp(-signal))).astype(np.int64)
        found = []
        for off in (ours, theirs):
            own = SHARED**0.5 * common + (1 - SHARED) ** 0.5 * rng.standard_normal(rows)
            p = 1 / (1 + np.exp(-(signal + off * own)))
            found.append(Scored.of("binary", truth, np.column_stack([1 - p, p])))
        return found[0], found[1]

    return draw


CASES = {
    "MAE, normal noise": ("mae", _number(lambda rng, rows: rng.standard_normal(rows))),
    "RMSE, noise t(3)": ("rmse", _number(lambda rng, rows: rng.standard_t(3, rows))),
    "log loss, 12 % positives": ("log_loss", _classes(-3.0)),
    "log loss, 2 % positives": ("log_loss", _classes(-5.5)),
    "0/1, half positives": ("accuracy", _classes(0.0)),
    "AUC, half positives": ("roc_auc", _classes(0.0)),
}


def off_by_gain(metric: str, draw: Callable[..., tuple[Scored, Scored]], ours: float) -> float:
    """How far off the champion must be for the candidate's score to be 10 % better."""
    low, high = ours, 20.0
    for _ in range(20):
        middle = (low + high) / 2
        one, two = draw(np.random.default_rng(3), 100_000, ours, middle)
        scores = [exact_score(metric, model) for model in (one, two)]
        if METRICS[metric].greater_is_better:  # of what is missing to a perfect score
            scores = [1 - score for score in scores]
        low, high = (middle, high) if scores[0] > (1 - GAIN) * scores[1] else (low, middle)
    return (low + high) / 2


def power(name: str, evaluations: int, window: int, seed: int) -> tuple[float, float, float]:
    """Share of evaluations that find the gain: by the bound; with few events held; with both."""
    metric, draw = CASES[name]
    ours = 0.4
    theirs, judged = off_by_gain(metric, draw, ours), published(alphas()[-1])
    unit = np.arange(ROWS) * 500 // ROWS
    resampling = Resampling(unit, 500, np.ones((1, 500)), "")
    found = np.zeros(3)
    for number in range(evaluations):
        rng = np.random.default_rng([seed, number])
        pair, more = draw(rng, ROWS, ours, theirs), draw(rng, window * ROWS, ours, theirs)
        known = tuple(
            one.joined_by(two.truth, two.scores) for one, two in zip(pair, more, strict=True)
        )
        gains = [next(g for g in metric_sums(one, resampling) if metric in g.exact) for one in pair]
        sign = METRICS[metric].sign
        gain = sign * (gains[0].exact[metric] - gains[1].exact[metric])
        parts = sign * (gains[0].parts(metric) - gains[1].parts(metric))
        worst = worst_gains(metric, pair, known, "superior_by", Margin(value=0.0))
        one_row = 0.0 if worst is None else float(worst_of(worst, ROWS)) * 500 / ROWS
        bound = tails(parts, [judged], False, one_row)
        assert bound is not None
        row_loss = of_row_loss(metric, pair[0])
        takes = [0.0, 0.0]
        possible = worst_gains(metric, pair, known, "superior_by", Margin(value=0.0), False)
        if possible is not None and row_loss is not None:
            rows = known_rows(possible + gain, row_loss)
            takes = [may_take(rows, worst_loss) for worst_loss in (None, 100.0)]
        shown = gain > bound.below[0]
        found += [shown, shown and gain >= takes[0], shown and gain >= takes[1]]
    one, two, three = (found / evaluations).tolist()
    return one, two, three


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--evaluations", type=int, default=1_000)
    parser.add_argument("--window", type=int, default=4, help="holdouts in the window")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    print("| loss | by the bound | with RARE-ROWS | and gate.worst_loss: 100 |")
    print("| --- | ---: | ---: | ---: |")
    for name in CASES:
        shares = power(name, asked.evaluations, asked.window, asked.seed)
        cells = [f"{p:.1%} ± {(p * (1 - p) / asked.evaluations) ** 0.5:.1%}" for p in shares]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
