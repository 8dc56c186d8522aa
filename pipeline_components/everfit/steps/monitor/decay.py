"""How much worse the champion is on a span than when it was judged, and than a fresh model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from everfit.contracts.messages.monitoring import AttainableLoss, Rise
from everfit.contracts.spec.metrics import METRICS
from everfit.ml.scoring.metric_sums import metric_sums
from everfit.ml.scoring.resampling import (
    Design,
    Floats,
    Resampling,
    interval,
    resample,
)
from everfit.ml.scoring.scored import Scored, row_losses
from everfit.steps.monitor.reference_score import ReferenceScore

SURE = 0.95
"""Of the one-sided lower bound."""


def rises(
    scored: Scored,
    design: Design,
    reference: ReferenceScore,
    metrics: Sequence[str],
    *,
    labelled: float,
    fresh: Scored | None = None,
    judged: Scored | None = None,
    source: Literal["champion", "logged"] = "champion",
) -> tuple[tuple[Rise, ...], list[str]]:
    """Compare a span's scores with the reference.

    The lower bound is that of the difference of two independent resampled scores, one of the
    span and one of the champion's holdout. Both are drawn in blocks of time, or by entity, where
    the spec declares them.

    Parameters
    ----------
    scored : Scored
        The champion's answers to the span's labelled rows, beside the truth.
    design : Design
        How these rows depend on each other.
    reference : ReferenceScore
    metrics : sequence of str
    labelled : float
        Share of the span's rows that have a label.
    fresh : Scored, optional
        A fresh model's answers to the same rows: both are resampled alike, so that what makes a
        row hard for both counts for nothing.
    judged : Scored, optional
        The same of the judged model that the champion is a refit of.
    source : str
        Whose answers they are.

    Returns
    -------
    rises : tuple of Rise
        One a metric, as far as they could be measured.
    notes : list of str
        A sentence for each that could not.
    """
    if scored.not_finite:
        return (), [f"{scored.not_finite:,} of {scored.rows:,} predictions are not finite"]
    resampling = resample(design.chosen(row_losses(metrics[0], scored)), 2 * SURE - 1)
    exact, drawn = _scores(scored, resampling, metrics)
    attainable = _scores(fresh, resampling, metrics) if fresh is not None else None
    before_refit = _scores(judged, resampling, metrics) if judged is not None else None
    found, notes = [], []
    for metric in metrics:
        current = exact[metric]
        before = reference.scores.get(metric)
        if before is None:
            notes.append(f"{metric}: the champion's record holds no score to compare with")
            continue
        others, how = reference.replicates(metric, drawn[metric], scored.rows)
        sign = -METRICS[metric].sign
        with np.errstate(invalid="ignore"):
            low = interval(sign * (drawn[metric] - others), resampling.units, 2 * SURE - 1)[0]
        worse = sign * (current - before)
        if not np.isfinite([current, low]).all():
            notes.append(f"{metric}: undefined on these {scored.rows:,} rows")
            continue
        found.append(
            Rise(
                metric=metric,
                reference=before,
                current=current,
                worse=worse,
                low=min(low, worse),
                rows=scored.rows,
                labelled=labelled,
                source=source,
                method=f"{resampling.method}; {how}",
                attainable=None
                if attainable is None
                else _excess(metric, (exact, drawn), attainable, resampling.units),
                judged=None
                if before_refit is None
                else _excess(metric, (exact, drawn), before_refit, resampling.units),
            )
        )
    return tuple(found), notes


Scores = tuple[dict[str, float], dict[str, Floats]]
"""metric → score on all rows, and on each resample."""


def _scores(scored: Scored, resampling: Resampling, metrics: Sequence[str]) -> Scores:
    exact: dict[str, float] = {}
    drawn: dict[str, Floats] = {}
    for group in metric_sums(scored, resampling):
        if set(metrics) & set(group.exact):
            exact |= group.exact
            drawn |= group.replicates(resampling.counts)
    return exact, drawn


def _excess(metric: str, ours: Scores, theirs: Scores, units: int) -> AttainableLoss | None:
    """How much worse than another model; None where it is undefined."""
    sign = -METRICS[metric].sign
    worse = sign * (ours[0][metric] - theirs[0][metric])
    with np.errstate(invalid="ignore"):
        low = interval(sign * (ours[1][metric] - theirs[1][metric]), units, 2 * SURE - 1)[0]
    if not np.isfinite([worse, low]).all():
        return None
    return AttainableLoss(score=theirs[0][metric], worse=worse, low=min(low, worse))
