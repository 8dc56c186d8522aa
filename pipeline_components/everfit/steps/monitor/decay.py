"""How much worse the champion is on a span than when it was judged, and than a fresh model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from everfit.contracts.messages.monitoring import AttainableLoss, Rise
from everfit.contracts.spec.metrics import METRICS
from everfit.ml.scoring.heavy_rows import HeavyRows, as_heavy, heavy_rows
from everfit.ml.scoring.metric_sums import metric_sums
from everfit.ml.scoring.one_sided import p_below_zero
from everfit.ml.scoring.resampling import (
    Design,
    Floats,
    Resampling,
    effective,
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
    ours = _scores(scored, resampling, metrics)
    attainable = _scores(fresh, resampling, metrics) if fresh is not None else None
    before_refit = _scores(judged, resampling, metrics) if judged is not None else None
    found, notes = [], []
    for metric in metrics:
        current = ours.exact[metric]
        before = reference.scores.get(metric)
        if before is None:
            notes.append(f"{metric}: the champion's record holds no score to compare with")
            continue
        worth = scored.rows if scored.weight is None else float(effective(scored.weight))
        others, how = reference.replicates(metric, ours.drawn[metric], worth)
        sign = -METRICS[metric].sign
        with np.errstate(invalid="ignore"):
            differences = sign * (ours.drawn[metric] - others)
            low = resampling.interval(differences, 2 * SURE - 1)[0]
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
                p_value=_p_value(
                    worse,
                    sign * ours.parts[metric],
                    resampling,
                    differences,
                    others,
                    heavy=_heavy(sign, ours.heavy[metric]),
                ),
                attainable=None
                if attainable is None
                else _excess(metric, ours, attainable, resampling),
                judged=None
                if before_refit is None
                else _excess(metric, ours, before_refit, resampling),
            )
        )
    return tuple(found), notes


class _Scores(NamedTuple):
    """Of each metric: on all rows, on each resample, and the part of each unit in it."""

    exact: dict[str, float]
    drawn: dict[str, Floats]
    parts: dict[str, Floats]
    heavy: dict[str, Floats | None]
    """The part of each row, as if it were as heavy as those that count, in the unit of parts."""


def _scores(scored: Scored, resampling: Resampling, metrics: Sequence[str]) -> _Scores:
    found = _Scores({}, {}, {}, {})
    for group in metric_sums(scored, resampling):
        wanted = set(metrics) & set(group.exact)
        if wanted:
            found.exact.update(group.exact)
            found.drawn.update(group.replicates(resampling.counts))
            found.parts.update({metric: group.parts(metric) for metric in sorted(wanted)})
    for metric in metrics:
        rows = as_heavy(metric, scored)
        found.heavy[metric] = None if rows is None else rows * resampling.units / scored.rows
    return found


def _heavy(sign: float, ours: Floats | None, theirs: Floats | None = None) -> HeavyRows:
    """How far one row may take what is tested, which is above 0 where the champion is no worse."""
    if ours is None:
        return HeavyRows()
    return heavy_rows(-sign * (ours if theirs is None else ours - theirs))


def _excess(
    metric: str, ours: _Scores, theirs: _Scores, resampling: Resampling
) -> AttainableLoss | None:
    """How much worse than another model; None where it is undefined."""
    sign = -METRICS[metric].sign
    worse = sign * (ours.exact[metric] - theirs.exact[metric])
    with np.errstate(invalid="ignore"):
        differences = sign * (ours.drawn[metric] - theirs.drawn[metric])
        low = resampling.interval(differences, 2 * SURE - 1)[0]
    if not np.isfinite([worse, low]).all():
        return None
    return AttainableLoss(
        score=theirs.exact[metric],
        worse=worse,
        low=min(low, worse),
        p_value=_p_value(
            worse,
            sign * (ours.parts[metric] - theirs.parts[metric]),
            resampling,
            differences,
            heavy=_heavy(sign, ours.heavy[metric], theirs.heavy[metric]),
        ),
    )


def _p_value(
    worse: float,
    parts: Floats,
    resampling: Resampling,
    differences: Floats,
    others: Floats | None = None,
    *,
    heavy: HeavyRows,
) -> float:
    """One-sided p-value of a score that is not worse.

    By the bounds that the gate spends small levels on (``ml.scoring.tails``): two thousand
    resamples cannot tell one chance in ten thousand. Where the units are too few for them, by
    Student's law of the resampled differences.

    Parameters
    ----------
    worse : float
        The difference; positive: worse.
    parts : (units,) float array
        What each unit says of it.
    resampling : Resampling
    differences : (R,) float array
        The difference on each resample.
    others : (R,) float array, optional
        Scores of the reference on resamples of its own, where it has some.
    heavy : HeavyRows
        How far one row may take it.
    """
    from scipy.special import stdtr

    wider = 1.0
    if others is not None and len(parts) > 1 and parts.std() > 0:
        # As if each unit varied by so much more as the reference is uncertain.
        own = float(parts.var(ddof=1)) / len(parts)
        wider = float(np.sqrt(1 + np.var(others) / own))
    found = p_below_zero(
        -worse,
        -parts * wider,
        resampling.in_time,
        weight=resampling.weight,
        best=heavy.best * wider,
    )
    if found is not None:
        return found
    fine, units = differences[np.isfinite(differences)], resampling.worth
    if worse <= 0 or units < 2 or len(fine) < len(differences) / 2:
        return 1.0
    error = float(fine.std()) * float(np.sqrt(units / (units - 1)))
    return float(stdtr(units - 1, -worse / error)) if error > 0 else 1.0
