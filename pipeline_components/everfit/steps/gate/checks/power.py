"""Statistical power: a warning where a gain worth finding would likely be missed."""

from __future__ import annotations

import math
from statistics import NormalDist

from everfit.contracts.messages.verdicts import Comparison
from everfit.contracts.spec.metrics import metric_title, metric_unit
from everfit.contracts.wording import about, apart, confidence, percent, sentence, setting
from everfit.ml.holdout_budget.power import (
    chance,
    detectable,
    rows_to_detect,
    worth_finding,
)
from everfit.steps.gate.check import GateCheck
from everfit.steps.gate.evidence.comparison import comparison, is_decayed, level_of
from everfit.steps.gate.evidence.evidence import Evidence
from everfit.steps.gate.finding import Finding, NotAssessed


def assess(evidence: Evidence) -> Finding:
    """The smallest gain detected with 80 % power, compared with the one worth finding."""
    request = evidence.request
    found = comparison(request)
    error = standard_error(found, request.gate.confidence)
    rows, unit = found.gain.rows, metric_unit(found.metric, request.unit)
    values: dict[str, float | int | str | None] = {
        "metric": found.metric,
        "error": error,
        "rows": rows,
        "baseline": found.baseline_score,
        "against": found.baseline,
    }
    try:
        judged = level_of(request, found)
    except NotAssessed as reason:
        return Finding("not_assessed", sentence(str(reason)), values=values)
    need = found.required.least
    effect = worth_finding(request.gate, found.baseline_score, is_decayed(request))
    below = found.gain.value - judged.low
    least = detectable(need, below, error)
    values |= {
        "alpha": judged.alpha,
        "below": below,
        "detectable": least,
        "needed": need,
        "effect": effect,
    }
    smallest, worth = apart(least, effect, unit=unit)
    detects = (
        f"With {rows:,} rows at {confidence(judged.alpha)}, the smallest gain detected with 80 % "
        f"power is {smallest} in {metric_title(found.metric)}; the interval must lie above "
        f"{setting(need, unit)}"
    )
    if effect <= need:
        return Finding(
            "not_applicable",
            f"{detects}. No larger gain is declared as worth finding (gate.effect).",
            values=values,
        )
    if least <= effect:
        return Finding("passed", f"{detects}, and {worth} is worth finding.", values=values)
    if request.champion is None and judged.low >= max(need, 0):
        return Finding(
            "not_applicable",
            f"{detects}. A first model is compared with a dummy, and its gain was detected.",
            values=values,
        )
    power = percent(chance(effect, need, below, error))
    total = rows_to_detect(effect, need, below, error, rows)
    return Finding(
        "failed",
        f"{detects}. A gain of {worth}, which is worth finding, is detected with a power of only "
        f"{power}: this holdout is too small for it.",
        flip=None
        if total is None
        else f"About {about(max(total - rows, 1))} more holdout rows would detect a gain of "
        f"{worth} with 80 % power",
        values=values,
    )


def standard_error(found: Comparison, confidence: float) -> float:
    """Of the gain; from the shown interval where evaluate published none.

    Raises
    ------
    NotAssessed
        If it is not finite.
    """
    error = found.error
    if error is None:
        error = (found.gain.high - found.gain.low) / (
            2 * NormalDist().inv_cdf((1 + confidence) / 2)
        )
    if not math.isfinite(error) or error < 0:
        raise NotAssessed("the standard error of the gain is not finite")
    return error


CHECK = GateCheck(
    code="POWER",
    title="Statistical power",
    severity="warning",
    position=90,
    assess=assess,
)
