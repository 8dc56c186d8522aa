"""From answers on the holdout to scores, comparison, slices and row losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline_components.contracts.evidence import (
    Calibration,
    FairnessGap,
    SliceScore,
    SliceSearch,
)
from pipeline_components.contracts.metrics import METRICS
from pipeline_components.contracts.requests import EvaluateRequest, TrainResult
from pipeline_components.contracts.verdicts import Comparison, Estimate
from pipeline_components.scoring.resampling import Design, Floats, entity_codes, resample
from pipeline_components.scoring.scored import Scored, row_losses

from .calibration import calibration
from .estimates import Estimates, compare, estimate
from .fairness import fairness_gaps
from .found_slices import found_slices
from .slices import Asked, slice_scores

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Judged:
    """What the holdout says.

    Attributes
    ----------
    scores : dict
        ``candidate``, ``baseline``, ``dummy``, ``family:<name>`` → metric → estimate.
    comparison : Comparison or None
    slices : tuple of SliceScore
        Those declared, then those found.
    search : SliceSearch or None
        None where slices were not looked for.
    calibration : Calibration or None
    fairness : tuple of FairnessGap
    losses : dict
        ``candidate`` and ``baseline`` → (n,) row losses; all NaN where it could not be scored.
    not_finite : tuple of str
    """

    scores: dict[str, dict[str, Estimate]]
    comparison: Comparison | None
    slices: tuple[SliceScore, ...]
    search: SliceSearch | None
    calibration: Calibration | None
    fairness: tuple[FairnessGap, ...]
    losses: dict[str, Floats]
    not_finite: tuple[str, ...]


def best(models: Sequence[TrainResult], metric: str) -> TrainResult:
    """The family with the best cross-validated score; the first of those that are equal."""
    sign = 1.0 if METRICS[metric].greater_is_better else -1.0
    return max(models, key=lambda model: sign * model.cv_score)


def judge(
    request: EvaluateRequest,
    frame: pd.DataFrame,
    scored: Mapping[str, Scored],
    baseline_name: str,
    troubles: Sequence[str] = (),
) -> Judged:
    """Score everybody on the same rows and the same resamples.

    Parameters
    ----------
    request : EvaluateRequest
    frame : (n, ...) DataFrame
        The holdout, in the table's order.
    scored : mapping
        ``candidate``, ``dummy``, ``family:<name>`` and, where it could be scored, ``baseline``.
    baseline_name : str
        ``champion v3`` or the dummy's name.
    troubles : sequence of str
        What is known to be wrong already; first in ``not_finite``.
    """
    metric = request.metric
    losses = {
        who: _losses(metric, scored.get(who), len(frame)) for who in ("candidate", "baseline")
    }
    design = Design(
        len(frame), request.time is not None, entity_codes(frame, request.entity), request.seed
    ).chosen(_difference(losses) if len(frame) else None)
    resampling = resample(design, request.confidence)
    done: dict[str, Estimates] = {}
    not_finite = list(troubles)
    for who, answer in scored.items():
        if who == "baseline" and answer is scored["dummy"]:
            done[who] = done["dummy"]
            continue
        done[who] = estimate(answer, resampling, request.confidence)
        not_finite += [f"{who}.{what}" for what in done[who].not_finite]
    comparison = None
    if "baseline" in done:
        comparison = compare(
            done["candidate"],
            done["baseline"],
            resampling,
            metric=metric,
            baseline_name=baseline_name,
            confidence=request.confidence,
            intention=request.intention,
            margin=request.margin,
        )
    if comparison is None and not not_finite:
        not_finite.append(f"comparison.{metric}")
    pair = {who: scored[who] for who in ("candidate", "baseline") if who in scored}
    asked = Asked(metric, design, request.confidence, request.slice_worse_by)
    slices, strange = slice_scores(request.slices, frame, pair, asked)
    search = None
    if request.find_slices:
        features = [column for column in request.columns if column.role == "feature"]
        found, search, odd = found_slices(frame, features, pair, losses, asked)
        slices, strange = slices + found, strange + odd
    return Judged(
        scores={who: estimates.estimates for who, estimates in done.items()},
        comparison=comparison,
        slices=slices,
        search=search,
        calibration=calibration(pair, resampling, request.confidence),
        fairness=fairness_gaps(
            request.fairness, frame, scored["candidate"], resampling, request.confidence
        ),
        losses=losses,
        not_finite=(*not_finite, *strange),
    )


def _losses(metric: str, scored: Scored | None, rows: int) -> Floats:
    if scored is None or not rows:
        return np.full(rows, np.nan)
    with np.errstate(all="ignore"):
        return row_losses(metric, scored)


def _difference(losses: Mapping[str, Floats]) -> Floats:
    """What the choice between time blocks and entities looks at."""
    baseline = losses["baseline"]
    return losses["candidate"] - (0 if np.isnan(baseline).all() else baseline)
