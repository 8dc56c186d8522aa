"""Is the candidate as good as declared? One interval against one margin, three answers."""

from __future__ import annotations

import math
from typing import Literal

from pipeline_components.contracts.metrics import METRICS
from pipeline_components.contracts.verdicts import Comparison
from pipeline_components.report.page import number

from .evidence import Evidence, NotAssessed, comparison, known
from .question import Finding

Outcome = Literal["met", "undecided", "missed"]


def judge(low: float, high: float, margin: float, intention: str) -> Outcome:
    """What an interval of the gain says about an intention.

    Parameters
    ----------
    low, high : float
        Bounds of the interval of the gain; positive where the candidate is better.
    margin : float
        At least 0, in the metric's unit.
    intention : {"superior_by", "not_worse_than"}
        ``superior_by`` is met where ``low >= margin`` and ``low > 0``, and missed where
        ``high < margin`` or ``high <= 0``. ``not_worse_than`` is met where ``low >= -margin`` and
        missed where ``high < -margin``. Anything else, and any bound that is no number, is
        undecided.
    """
    if intention == "superior_by":
        if low >= margin and low > 0 and high >= low:
            return "met"
        return "missed" if high < margin or high <= 0 else "undecided"
    if low >= -margin and high >= low:
        return "met"
    return "missed" if high < -margin else "undecided"


def gain(evidence: Evidence) -> Finding:
    """Compare the paired interval with the declared margin."""
    found = comparison(evidence.request)
    low, high, value = found.gain.low, found.gain.high, found.gain.value
    if not all(map(math.isfinite, (low, high, value, found.margin))) or not low <= value <= high:
        raise NotAssessed("the interval of the gain is no interval of finite numbers")
    _agrees_with_losses(evidence, found)
    outcome = judge(low, high, found.margin, found.intention)
    return Finding(
        state="passed" if outcome == "met" else "failed",
        message=f"{describe(evidence, found)}: {_judgement(found, outcome)}.",
        forces="reject" if outcome == "missed" else "hold",
        flip=flip(found, outcome),
        values={
            "metric": found.metric, "candidate": found.candidate_score,
            "baseline": found.baseline_score, "gain": value, "low": low, "high": high,
            "margin": found.margin, "intention": found.intention, "outcome": outcome,
        },
    )  # fmt: skip


def describe(evidence: Evidence, found: Comparison) -> str:
    """The comparison as the beginning of a sentence."""
    value = found.gain.value
    change = (
        f"{number(abs(value), 3)} {'better' if value > 0 else 'worse'} than"
        if value
        else "equal to"
    )
    percent = number(100 * evidence.request.gate.confidence, 3).rstrip("0").rstrip(".")
    return (
        f"On {found.gain.rows:,} holdout rows the candidate's {found.metric} is {change} "
        f"{found.baseline} ({number(found.candidate_score)} against "
        f"{number(found.baseline_score)}; {percent} % interval of the gain "
        f"{number(found.gain.low, 3)} to {number(found.gain.high, 3)})"
    )


def flip(found: Comparison, outcome: Outcome) -> str:
    """What would have given another answer, from an interval that narrows as 1/sqrt(rows)."""
    need = found.margin if found.intention == "superior_by" else -found.margin
    value, unit = found.gain.value, found.metric
    below, above = value - found.gain.low, found.gain.high - value
    if outcome == "met":
        return (
            f"A gain below {number(need + below, 3)} {unit} instead of {number(value, 3)} "
            "would have left it undecided"
        )
    better = f"a gain of at least {number(need + below, 3)} {unit} instead of {number(value, 3)}"
    if value > need and below > 0:
        total = math.ceil(found.gain.rows * (below / (value - need)) ** 2)
        more = max(total - found.gain.rows, 1)
        return f"About {_round_up(more):,} more holdout rows at the same effect, or {better}"
    if outcome == "missed":
        undecided = need - above
        return f"{_capital(better)}; from {number(undecided, 3)} it would have been undecided"
    return f"{_capital(better)}; more rows at the same effect would not do"


def _judgement(found: Comparison, outcome: Outcome) -> str:
    margin = number(found.margin, 3)
    if found.intention == "superior_by":
        if outcome == "met":
            return f"surely better by the required {margin}"
        missed = f"surely not better by the required {margin}"
        return missed if outcome == "missed" else f"better by the required {margin} is undecided"
    if outcome == "met":
        return f"surely not worse by more than the allowed {margin}"
    if outcome == "missed":
        return f"surely worse by more than the allowed {margin}"
    return f"whether it is worse by more than the allowed {margin} is undecided"


def _agrees_with_losses(evidence: Evidence, found: Comparison) -> None:
    """Hold the comparison against the published row losses, where the metric is their mean."""
    if not METRICS[found.metric].row_loss:
        return
    import pyarrow.compute as pc

    losses = known(evidence.losses)
    paired = pc.mean(pc.subtract(losses.baseline, losses.candidate)).as_py()
    size = max(abs(found.candidate_score), abs(found.baseline_score), 1e-12)
    if paired is None or not abs(paired - found.gain.value) <= 1e-6 * size:
        raise NotAssessed(
            f"the published row losses give a gain of {number(paired, 6)}, but the comparison "
            f"says {number(found.gain.value, 6)}"
        )


def _round_up(count: int) -> int:
    """Two significant figures: the estimate is no better."""
    step: int = 10 ** max(len(str(count)) - 2, 0)
    return int(-(-count // step) * step)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
