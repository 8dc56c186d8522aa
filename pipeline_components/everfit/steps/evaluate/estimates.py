"""Scores with intervals, and the paired comparison of candidate and baseline."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from everfit.contracts.messages.verdicts import Bound, Comparison, Estimate
from everfit.contracts.spec.margins import Intention, Margin, sign_of
from everfit.contracts.spec.metrics import METRICS, metrics_of
from everfit.ml.scoring.heavy_rows import HeavyRows, as_heavy, heavy_rows
from everfit.ml.scoring.metric_sums import MetricSums, metric_sums
from everfit.ml.scoring.resampling import Floats, Resampling
from everfit.ml.scoring.scored import Scored
from everfit.ml.scoring.tails import levels_of, tails


@dataclass(frozen=True)
class Estimates:
    """All scores of one model on one set of rows.

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
    sums : tuple of MetricSums
        What the metrics were computed from.
    scored : Scored or None
        The rows; None where there are no scores.
    """

    estimates: dict[str, Estimate]
    replicates: dict[str, Floats] = field(default_factory=dict)
    not_finite: tuple[str, ...] = ()
    undefined: bool = False
    sums: tuple[MetricSums, ...] = ()
    scored: Scored | None = None

    def parts(self, metric: str) -> Floats:
        """The part of each unit of rows in a metric. Shape (units,)."""
        return next(group for group in self.sums if metric in group.exact).parts(metric)


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
    only : str, optional
        The one metric that is wanted.
    """
    if scored.not_finite:
        return Estimates({}, {}, (f"{scored.not_finite:,} of {scored.rows:,} predictions",))
    names = metrics_of(scored.task) if only is None else (only,)
    values: dict[str, float] = {}
    replicates: dict[str, Floats] = {}
    groups: tuple[MetricSums, ...] = ()
    if scored.rows:
        groups = metric_sums(scored, resampling)
        for group in groups:
            if any(name in group.exact for name in names):
                values |= group.exact
                wanted = {name: group.formulas[name] for name in names if name in group.formulas}
                replicates |= replace(group, formulas=wanted).replicates(resampling.counts)
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
    return Estimates(found, replicates, tuple(bad), undefined, groups, scored)


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
    worst: float = 0.0,
) -> Comparison | None:
    """Candidate against baseline, on the same rows and the same resamples.

    Parameters
    ----------
    candidate, baseline : Estimates
        Of the same rows and the same resamples.
    resampling : Resampling
    metric : str
    baseline_name : str
        ``champion v3`` or the dummy's name.
    confidence : float
        Of the interval that is shown.
    intention : {"superior_by", "not_worse_than"}
    margin : Margin
        Of the baseline's score, where it is relative.
    worst : float
        The part in the gain of a bad row that the holdout has not shown, at most 0 (``unseen``).

    Returns
    -------
    Comparison or None
        ``gain`` is positive where the candidate is better, in the metric's unit. A relative
        margin is turned into that unit by the baseline's score. None where anything in it is not
        finite. Bounds are left out where there are too few units for them, or where the metric is
        undefined without one of the units.
    """
    ours, theirs = candidate.estimates.get(metric), baseline.estimates.get(metric)
    if ours is None or theirs is None:
        return None
    sign = METRICS[metric].sign
    with np.errstate(invalid="ignore"):
        gains = sign * (candidate.replicates[metric] - baseline.replicates[metric])
    gain = sign * (ours.value - theirs.value)
    low, high = _around(gain, gains, resampling, confidence)
    absolute = margin.of(theirs.value)
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
        **_spread(
            gain,
            parts_of_gain(candidate, baseline, metric, intention, margin),
            resampling,
            confidence,
            worst * resampling.units / max(ours.rows, 1),
            heavy_of_gain(candidate, baseline, resampling, metric, intention, margin),
        ),
        worst=worst,
    )


def parts_of_gain(
    candidate: Estimates, baseline: Estimates, metric: str, intention: Intention, margin: Margin
) -> Floats:
    """The part of each unit in the gain; in its distance to the margin, where that is relative.

    A margin that is a share of the baseline's score is as uncertain as the score, which the
    interval has to allow for.

    Parameters
    ----------
    candidate, baseline : Estimates
        Of the same units.
    metric : str
    intention : {"superior_by", "not_worse_than"}
    margin : Margin

    Returns
    -------
    (units,) float64 array
    """
    return _of_gain(
        candidate.parts(metric), baseline.parts(metric), baseline, metric, intention, margin
    )


def heavy_of_gain(
    candidate: Estimates,
    baseline: Estimates,
    resampling: Resampling,
    metric: str,
    intention: Intention,
    margin: Margin,
) -> HeavyRows:
    """How far one row may take the gain, were it as heavy as those that count.

    Parameters
    ----------
    candidate, baseline : Estimates
        Of the same rows.
    resampling : Resampling
        Of these rows, whose units the parts are of.
    metric : str
    intention : {"superior_by", "not_worse_than"}
    margin : Margin
    """
    if candidate.scored is None or baseline.scored is None:
        return HeavyRows()
    ours, theirs = as_heavy(metric, candidate.scored), as_heavy(metric, baseline.scored)
    if ours is None or theirs is None:
        return HeavyRows()
    parts = _of_gain(ours, theirs, baseline, metric, intention, margin)
    return heavy_rows(parts * resampling.units / candidate.scored.rows)


def _of_gain(
    ours: Floats,
    theirs: Floats,
    baseline: Estimates,
    metric: str,
    intention: Intention,
    margin: Margin,
) -> Floats:
    parts: Floats = METRICS[metric].sign * (ours - theirs)
    if margin.relative:
        share = math.copysign(margin.value, baseline.estimates[metric].value)
        parts = parts - sign_of(intention) * share * theirs
    return parts


def _spread(
    gain: float,
    parts: Floats,
    resampling: Resampling,
    confidence: float,
    worst: float,
    heavy: HeavyRows,
) -> dict[str, Any]:
    """``error``, ``units`` and ``bounds`` of a comparison; nothing where they are undefined."""
    levels = levels_of(confidence)
    found = tails(
        parts,
        levels,
        resampling.in_time,
        min(worst, heavy.worst),
        best=heavy.best,
        weight=resampling.weight,
    )
    if found is None:
        return {}
    lows, highs = gain - found.below, gain + found.above
    if not (np.isfinite(lows).all() and np.isfinite(highs).all()):
        return {}
    return {
        "error": float(found.error),
        "units": int(found.units),
        "bounds": tuple(
            Bound(alpha=level, low=float(low), high=float(high))
            for level, low, high in zip(levels, lows, highs, strict=True)
        ),
    }


def _around(
    value: float, replicates: Floats, resampling: Resampling, confidence: float
) -> tuple[float, float]:
    """The interval, widened to hold the value itself where resamples are lopsided."""
    low, high = resampling.interval(replicates, confidence)
    return float(np.minimum(low, value)), float(np.maximum(high, value))
