"""Scores with intervals, and the paired comparison of candidate and baseline."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from pipeline_components.contracts.margins import Margin
from pipeline_components.contracts.metrics import METRICS, metrics_of
from pipeline_components.contracts.verdicts import Comparison, Estimate
from pipeline_components.scoring.metric_sums import metric_sums
from pipeline_components.scoring.resampling import Floats, Resampling, interval
from pipeline_components.scoring.scored import Scored

Intention = Literal["superior_by", "not_worse_than"]


@dataclass(frozen=True)
class Estimates:
    """Everything said of one model on one set of rows.

    Attributes
    ----------
    estimates : dict
        metric → estimate; a metric that is not finite is left out and named in ``not_finite``.
    replicates : dict
        metric → (R,) scores of the resamples, for paired differences.
    not_finite : tuple of str
        Metrics (or predictions), to be listed with the model's name in front.
    undefined : bool
        Whether that is the rows' fault alone: a single class, say, has no ROC curve.
    """

    estimates: dict[str, Estimate]
    replicates: dict[str, Floats] = field(default_factory=dict)
    not_finite: tuple[str, ...] = ()
    undefined: bool = False


def estimate(
    scored: Scored, resampling: Resampling, confidence: float, only: str | None = None
) -> Estimates:
    """Every metric of the task, or only one, with intervals.

    Parameters
    ----------
    scored : Scored
    resampling : Resampling
        Of the same rows; shared by all models, which pairs their replicates.
    confidence : float
    """
    if scored.strange:
        return Estimates({}, {}, (f"{scored.strange:,} of {scored.rows:,} predictions",))
    names = metrics_of(scored.task) if only is None else (only,)
    values: dict[str, float] = {}
    replicates: dict[str, Floats] = {}
    if scored.rows:
        for group in metric_sums(scored, resampling):
            if any(name in group.exact for name in names):
                values |= group.exact
                replicates |= group.replicates(resampling.counts)
    found: dict[str, Estimate] = {}
    bad = []
    for name in names:
        value = values.get(name, math.nan)
        low, high = math.nan, math.nan
        if math.isfinite(value):
            low, high = _around(value, replicates[name], resampling, confidence)
        if math.isfinite(value) and math.isfinite(low) and math.isfinite(high):
            found[name] = Estimate(
                value=value, low=low, high=high, rows=scored.rows, method=resampling.method
            )
        else:
            what = "" if not math.isfinite(value) else " interval"
            bad.append(f"{name}{what}")
    undefined = not any(map(math.isinf, values.values()))
    return Estimates(found, replicates, tuple(bad), undefined)


def compare(
    candidate: Estimates,
    baseline: Estimates,
    resampling: Resampling,
    *,
    metric: str,
    baseline_name: str,
    confidence: float,
    intention: Intention,
    margin: Margin,
) -> Comparison | None:
    """Candidate against baseline, on the same rows and the same resamples.

    Returns
    -------
    Comparison or None
        ``gain`` is positive where the candidate is better, in the metric's unit. A relative
        margin is turned into that unit by the baseline's score. None where anything in it is not
        finite.
    """
    ours, theirs = candidate.estimates.get(metric), baseline.estimates.get(metric)
    if ours is None or theirs is None:
        return None
    sign = 1.0 if METRICS[metric].greater_is_better else -1.0
    with np.errstate(invalid="ignore"):
        gains = sign * (candidate.replicates[metric] - baseline.replicates[metric])
    gain = sign * (ours.value - theirs.value)
    low, high = _around(gain, gains, resampling, confidence)
    absolute = margin.value * abs(theirs.value) if margin.relative else margin.value
    if not all(map(math.isfinite, (gain, low, high, absolute))):
        return None
    return Comparison(
        metric=metric,
        baseline=baseline_name,
        candidate_score=ours.value,
        baseline_score=theirs.value,
        gain=Estimate(
            value=gain, low=low, high=high, rows=ours.rows, method=f"paired {resampling.method}"
        ),
        margin=absolute,
        intention=intention,
    )


def _around(
    value: float, replicates: Floats, resampling: Resampling, confidence: float
) -> tuple[float, float]:
    """The interval, widened to hold the value itself where resamples are lopsided."""
    low, high = interval(replicates, resampling.units, confidence)
    return float(np.minimum(low, value)), float(np.maximum(high, value))
