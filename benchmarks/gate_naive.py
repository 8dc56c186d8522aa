"""What simpler rules promote, and what 52 evaluations on one holdout do to them and to the gate.

Equally good classifiers that disagree on 11 % of the rows, a new candidate every week. Each rule
promotes or not; every promotion is false.
"""

from __future__ import annotations

import numpy as np
from gate_evaluations import CHUNK, WEEKS, Judged, alphas, judge, judge_units
from gate_worlds import DISAGREE, ROWS, WORLDS, Floats
from scipy.stats import t as student

ACCURACY = 0.67
RULES = ("any gain", "a gain of 1 percentage point", "paired test at 5 %", "the gate")
POINT = 0.01


def fresh_holdouts(years: int, seed: int) -> dict[str, Floats]:
    """Each evaluation has 1,000 rows of its own.

    Returns
    -------
    dict
        Rule → (years,) promotions; and the second rule where each model is scored on other rows.
    """
    found: dict[str, list[Floats]] = {}
    spends = np.array(alphas())
    for start in range(0, years, CHUNK):
        some = min(CHUNK, years - start)
        rng = np.random.default_rng([seed, 88, start])
        every = np.tile(spends, some)
        seen = judge(WORLDS[0], WORLDS[0].rows(rng, np.zeros(every.size)), every)
        apart = rng.binomial(ROWS, ACCURACY, (2, every.size)) / ROWS
        answers = _by_rule(seen) | {
            "the gate": seen.promoted(0.0),
            "1 percentage point, on different rows": apart[0] - apart[1] >= POINT - 1e-9,
        }
        for name, promoted in answers.items():
            found.setdefault(name, []).append(promoted.reshape(some, WEEKS).sum(axis=1))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def one_holdout(
    years: int, seed: int, days: float, stays: bool, rules: tuple[str, ...] = RULES
) -> dict[str, Floats]:
    """All 52 evaluations are at the same 1,000 rows.

    A model's loss on a row is the row's own, which cancels, and the model's own, with a spread that
    gives differences the same spread as those of ``fresh_holdouts``.

    Parameters
    ----------
    days : float
        The holdout covers; what it brings to the budget.
    stays : bool
        Whether the champion stays, as where a gate only observes. Otherwise a promotion changes it,
        and the next candidates are compared with one that was lucky on these rows.

    Returns
    -------
    dict
        Rule → (years,) promotions.
    """
    spends = np.array(alphas(days, fresh=False, years=1))
    return {
        rule: np.concatenate(
            [
                _one_holdout(
                    rule,
                    min(CHUNK, years - start),
                    spends,
                    stays,
                    np.random.default_rng([seed, 99, start]),
                )
                for start in range(0, years, CHUNK)
            ]
        )
        for rule in rules
    }


def _one_holdout(
    rule: str, years: int, spends: Floats, stays: bool, rng: np.random.Generator
) -> Floats:
    champion, count = _own_losses(rng, years), np.zeros(years)
    for spend in spends:
        candidate = _own_losses(rng, years)
        if rule == "the gate" and not spend:
            continue  # exhausted: nothing is promoted
        parts = (champion - candidate).reshape(years, -1, 2).mean(axis=-1, dtype=np.float64)
        seen = judge_units(parts.mean(axis=-1), parts, np.full(years, spend), in_time=False)
        promoted = seen.promoted(0.0) if rule == "the gate" else _by_rule(seen)[rule]
        count += promoted
        if not stays:
            champion = np.where(promoted[:, None], candidate, champion)
    return count


def _by_rule(seen: Judged) -> dict[str, Floats]:
    far = student.ppf(0.95, ROWS // 2 - 1)
    return {
        "any gain": seen.gain > 1e-9,
        "a gain of 1 percentage point": seen.gain >= POINT - 1e-9,
        "paired test at 5 %": seen.gain > far * seen.error,
    }


def _own_losses(rng: np.random.Generator, years: int) -> Floats:
    return rng.standard_normal((years, ROWS), dtype=np.float32) * np.float32(np.sqrt(DISAGREE / 2))
