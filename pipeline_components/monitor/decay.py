"""How much worse the champion is on a span than when it was judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from pipeline_components.contracts.metrics import METRICS
from pipeline_components.contracts.monitoring import Rise
from pipeline_components.scoring.metric_sums import metric_sums
from pipeline_components.scoring.resampling import Design, Floats, interval, resample
from pipeline_components.scoring.scored import Scored, row_losses

from .reference_score import ReferenceScore

SURE = 0.95
"""Of the one-sided lower bound."""


def rises(
    scored: Scored,
    design: Design,
    reference: ReferenceScore,
    metrics: Sequence[str],
    *,
    labelled: float,
    source: Literal["champion", "logged"] = "champion",
) -> tuple[tuple[Rise, ...], list[str]]:
    """Hold a span's scores against the reference.

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
    source : str
        Whose answers they are.

    Returns
    -------
    rises : tuple of Rise
        One a metric, as far as they could be measured.
    notes : list of str
        A sentence for each that could not.
    """
    if scored.strange:
        return (), [f"{scored.strange:,} of {scored.rows:,} predictions are not finite"]
    resampling = resample(design.chosen(row_losses(metrics[0], scored)), 2 * SURE - 1)
    exact: dict[str, float] = {}
    drawn: dict[str, Floats] = {}
    for group in metric_sums(scored, resampling):
        if set(metrics) & set(group.exact):
            exact |= group.exact
            drawn |= group.replicates(resampling.counts)
    found, notes = [], []
    for metric in metrics:
        current = exact[metric]
        before = reference.scores.get(metric)
        if before is None:
            notes.append(f"{metric}: the champion's record holds no score to compare with")
            continue
        others, how = reference.replicates(metric, drawn[metric], scored.rows)
        sign = -1.0 if METRICS[metric].greater_is_better else 1.0
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
            )
        )
    return tuple(found), notes
