"""Could this holdout tell? A warning where a gain worth finding would likely be missed."""

from __future__ import annotations

import math
from statistics import NormalDist

from pipeline_components.contracts.verdicts import Comparison
from pipeline_components.looks.power import (
    chance,
    detectable,
    needed,
    rows_to_detect,
    worth_finding,
)
from pipeline_components.looks.words import odds, rounded
from pipeline_components.report.page import short

from .check_gain import level_of
from .evidence import Evidence, NotAssessed, comparison
from .question import Finding


def power(evidence: Evidence) -> Finding:
    """The smallest gain that this holdout finds 8 times of 10, beside the one worth finding."""
    request = evidence.request
    found = comparison(request)
    error = standard_error(found, request.gate.confidence)
    rows, unit = found.gain.rows, found.metric
    values: dict[str, float | int | str | None] = {
        "metric": unit, "error": error, "rows": rows, "baseline": found.baseline_score,
        "against": found.baseline,
    }  # fmt: skip
    try:
        judged = level_of(request, found)
    except NotAssessed as reason:
        told = str(reason)
        return Finding("not_assessed", f"{told[:1].upper()}{told[1:]}.", values=values)
    need = needed(request.gate, found.baseline_score)
    effect = worth_finding(request.gate, found.baseline_score)
    below = found.gain.value - judged.low
    least = detectable(need, below, error)
    values |= {
        "alpha": judged.alpha, "below": below, "detectable": least, "needed": need,
        "effect": effect,
    }  # fmt: skip
    told = (
        f"{rows:,} rows at the level of this look ({odds(judged.alpha)}) find a gain of "
        f"{short(least)} {unit} 8 times of 10; the interval must lie above {short(need)}"
    )
    if effect <= need:
        return Finding(
            "not_applicable",
            f"{told}. No gain beyond that is declared as worth finding (gate.effect).",
            values=values,
        )
    if least <= effect:
        return Finding("passed", f"{told}, and {short(effect)} is worth finding.", values=values)
    if request.champion is None and judged.low >= max(need, 0):
        return Finding(
            "not_applicable",
            f"{told}. A first model is compared with a dummy, and this one's gain was found.",
            values=values,
        )
    often = chance(effect, need, below, error)
    total = rows_to_detect(effect, need, below, error, rows)
    return Finding(
        "failed",
        f"{told}. A gain of {short(effect)}, which is worth finding, is found only "
        f"{_tenths(often)}: this holdout is too small for it.",
        flip=None
        if total is None
        else f"About {rounded(max(total - rows, 1)):,} more holdout rows would find a gain of "
        f"{short(effect)} {unit} 8 times of 10",
        values=values,
    )


def standard_error(found: Comparison, confidence: float) -> float:
    """Of the gain; from the interval that is shown where it is not told.

    Raises
    ------
    NotAssessed
        If it is no finite number.
    """
    error = found.error
    if error is None:
        error = (found.gain.high - found.gain.low) / (
            2 * NormalDist().inv_cdf((1 + confidence) / 2)
        )
    if not math.isfinite(error) or error < 0:
        raise NotAssessed("the standard error of the gain is no finite number")
    return error


def _tenths(chance: float) -> str:
    if chance < 0.01:
        return "less than once in 100 times"
    return f"{max(round(100 * chance), 1)} times of 100"
