"""Is the candidate as good as declared? One interval against one margin, three answers."""

from __future__ import annotations

import math
from typing import Literal

from pipeline_components.contracts.metrics import METRICS
from pipeline_components.contracts.requests import GateRequest
from pipeline_components.contracts.verdicts import Bound, Comparison
from pipeline_components.looks.power import rows_to_shrink
from pipeline_components.looks.words import odds, rounded
from pipeline_components.report.page import number, short

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
    """Compare the paired interval, at the level the look has spent, with the declared margin."""
    found = comparison(evidence.request)
    judged = level_of(evidence.request, found)
    _agrees_with_losses(evidence, found)
    outcome = judge(judged.low, judged.high, found.margin, found.intention)
    return Finding(
        state="passed" if outcome == "met" else "failed",
        message=describe(found, judged, outcome),
        forces="reject" if outcome == "missed" else "hold",
        flip=flip(found, judged, outcome),
        values={
            "metric": found.metric, "candidate": found.candidate_score,
            "baseline": found.baseline_score, "gain": found.gain.value, "low": judged.low,
            "high": judged.high, "margin": found.margin, "intention": found.intention,
            "outcome": outcome, "alpha": judged.alpha, "rows": found.gain.rows,
        },
    )  # fmt: skip


def level_of(request: GateRequest, found: Comparison) -> Bound:
    """The published interval of the largest level that the look may spend.

    Raises
    ------
    NotAssessed
        If nothing may be spent, there is no interval for so little, or it is none.
    """
    look = request.look
    if look is None:
        raise NotAssessed("no look at the holdout is recorded, so no level may be spent on it")
    allowed = [bound for bound in found.bounds if 0 < bound.alpha <= look.alpha * (1 + 1e-9)]
    if not allowed:
        raise NotAssessed(
            f"evaluate published no interval of the gain for a level of {short(look.alpha)}"
        )
    judged = max(allowed, key=lambda bound: bound.alpha)
    value = found.gain.value
    for low, high in ((judged.low, judged.high), (found.gain.low, found.gain.high)):
        numbers = (low, value, high, found.margin)
        if not all(map(math.isfinite, numbers)) or not low <= value <= high:
            raise NotAssessed("the interval of the gain is no interval of finite numbers")
    return judged


def describe(found: Comparison, judged: Bound, outcome: Outcome) -> str:
    """The judgement first, then the numbers it rests on."""
    return (
        f"{_judgement(found, judged, outcome)}: {found.metric} {number(found.candidate_score)} "
        f"against {number(found.baseline_score)} on {found.gain.rows:,} holdout rows, a gain of "
        f"{short(found.gain.value)} ({short(judged.low)} to {short(judged.high)}, with at most "
        f"{odds(judged.alpha)} that it is less)."
    )


def flip(found: Comparison, judged: Bound, outcome: Outcome) -> str:
    """What would have given another answer, from an interval that narrows as 1/sqrt(rows)."""
    need = found.margin if found.intention == "superior_by" else -found.margin
    value, unit = found.gain.value, found.metric
    below, above = value - judged.low, judged.high - value
    if outcome == "met":
        return (
            f"A gain below {short(need + below)} {unit} instead of {short(value)} "
            "would have left it undecided"
        )
    better = f"a gain of at least {short(need + below)} {unit} instead of {short(value)}"
    total = rows_to_shrink(found.gain.rows, below, value - need)
    if total is not None and below > 0:
        more = max(total - found.gain.rows, 1)
        return f"About {rounded(more):,} more holdout rows at the same effect, or {better}"
    if outcome == "missed":
        undecided = need - above
        return f"{_capital(better)}; from {short(undecided)} it would have been undecided"
    return f"{_capital(better)}; more rows at the same effect would not do"


def _judgement(found: Comparison, judged: Bound, outcome: Outcome) -> str:
    who = f"the {found.baseline} dummy" if "champion" not in found.baseline else found.baseline
    margin = short(found.margin)
    surely_worse = judged.high < 0
    if found.intention == "superior_by":
        by = f"by the required {margin}" if found.margin else "at all"
        if outcome == "met":
            return f"Surely better than {who} {by}" if found.margin else f"Surely better than {who}"
        if outcome == "undecided":
            return f"Undecided whether better than {who} {by}"
        return f"Surely worse than {who}" if surely_worse else f"Surely not better than {who} {by}"
    more = f"by more than the allowed {margin}" if found.margin else "at all"
    if outcome == "met":
        return f"Surely not worse than {who} {more}"
    if outcome == "undecided":
        return f"Undecided whether worse than {who} {more}"
    return f"Surely worse than {who} {more}" if found.margin else f"Surely worse than {who}"


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


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
