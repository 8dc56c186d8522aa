"""From predictions of the holdout to scores, comparison, slices and row losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from everfit.contracts.messages.evidence import Calibration, FairnessGap, SliceScore, SliceSearch
from everfit.contracts.messages.requests import EvaluateRequest
from everfit.contracts.messages.training import TrainResult
from everfit.contracts.messages.verdicts import Comparison, Estimate
from everfit.contracts.spec.margins import Intention, Margin
from everfit.contracts.spec.metrics import METRICS
from everfit.ml.scoring.resampling import Design, Floats, entity_codes, resample
from everfit.ml.scoring.scored import Scored, row_losses
from everfit.ml.scoring.unseen import known_rows, of_row_loss, worst_gains, worst_of
from everfit.steps.evaluate.calibration import calibration
from everfit.steps.evaluate.estimates import Estimates, compare, estimate
from everfit.steps.evaluate.fairness import fairness_gaps
from everfit.steps.evaluate.found_slices import found_slices
from everfit.steps.evaluate.slices import SliceRules, slice_scores

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class HoldoutScores:
    """Every model on the holdout.

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
    when_decayed : Comparison or None
        By what ``gate.when_decayed`` asks; None where it asks nothing, or there is no champion.
    """

    scores: dict[str, dict[str, Estimate]]
    comparison: Comparison | None
    slices: tuple[SliceScore, ...]
    search: SliceSearch | None
    calibration: Calibration | None
    fairness: tuple[FairnessGap, ...]
    losses: dict[str, Floats]
    not_finite: tuple[str, ...]
    when_decayed: Comparison | None = None


def best(models: Sequence[TrainResult], metric: str) -> TrainResult:
    """The family with the best cross-validated score; the first of those that are equal."""
    sign = METRICS[metric].sign
    return max(models, key=lambda model: sign * model.cv_score)


def score_models(
    request: EvaluateRequest,
    frame: pd.DataFrame,
    scored: Mapping[str, Scored],
    baseline_name: str,
    troubles: Sequence[str] = (),
    known: Mapping[str, Scored] | None = None,
) -> HoldoutScores:
    """Score all models on the same rows and the same resamples.

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
    known : mapping, optional
        ``candidate`` and ``baseline`` on rows of the window and of the holdout, which show how bad
        a row may be; by default on the holdout's alone.
    """
    metric = request.metric
    losses = {
        who: _losses(metric, scored.get(who), len(frame)) for who in ("candidate", "baseline")
    }
    design = Design(
        len(frame),
        request.time is not None,
        entity_codes(frame, request.entity),
        request.seed,
        weight=scored["candidate"].weight,
    ).chosen(_difference(losses) if len(frame) else None)
    resampling = resample(design, request.confidence)
    done: dict[str, Estimates] = {}
    not_finite = list(troubles)
    for who, predicted in scored.items():
        if who == "baseline" and predicted is scored["dummy"]:
            done[who] = done["dummy"]
            continue
        done[who] = estimate(predicted, resampling, request.confidence)
        fault = "rows." if done[who].undefined else ""  # no model can be blamed for these rows
        not_finite += [f"{fault}{who}.{what}" for what in done[who].not_finite]

    def compared(intention: Intention, margin: Margin) -> Comparison | None:
        worst, possible = (
            _worst(request, scored, known or scored, intention, margin, seen)
            for seen in (True, False)
        )
        found = compare(
            done["candidate"],
            done["baseline"],
            resampling,
            metric=metric,
            baseline_name=baseline_name,
            confidence=request.confidence,
            intention=intention,
            margin=margin,
            worst=0.0 if worst is None else float(worst_of(worst, len(frame))),
        )
        row_loss = None if possible is None else of_row_loss(metric, scored["candidate"])
        if found is None or possible is None or row_loss is None:
            return found
        told = known_rows(possible + found.gain.value, row_loss)
        return found.model_copy(update={"known": told})

    comparison = when_decayed = None
    if "baseline" in done:
        comparison = compared(request.intention, request.margin)
        if request.when_decayed and request.champion:
            asked = request.when_decayed
            when_decayed = compared(asked.intention, asked.margin)
    if comparison is None and not not_finite:
        not_finite.append(f"comparison.{metric}")
    pair = {who: scored[who] for who in ("candidate", "baseline") if who in scored}
    rules = SliceRules(metric, design, request.confidence, request.slice_worse_by)
    slices, strange = slice_scores(request.slices, frame, pair, rules)
    search = None
    if request.find_slices:
        features = [column for column in request.columns if column.role == "feature"]
        found, search, odd = found_slices(frame, features, pair, losses, rules)
        slices, strange = slices + found, strange + odd
    return HoldoutScores(
        scores={who: estimates.estimates for who, estimates in done.items()},
        comparison=comparison,
        when_decayed=when_decayed,
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


def _worst(
    request: EvaluateRequest,
    scored: Mapping[str, Scored],
    known: Mapping[str, Scored],
    intention: Intention,
    margin: Margin,
    seen: bool,
) -> Floats | None:
    """The part in the gain that each known row could have, whatever its truth (``worst_gains``).

    None beside a dummy: a first model replaces nobody, and the gain over a dummy is seldom close.
    """
    if request.champion is None or "baseline" not in scored:
        return None
    pair, more = ((one["candidate"], one["baseline"]) for one in (scored, known))
    if not pair[0].rows or any(one.not_finite for one in (*pair, *more)):
        return None
    return worst_gains(request.metric, pair, more, intention, margin, seen)


def _difference(losses: Mapping[str, Floats]) -> Floats:
    """What the choice between time blocks and entities looks at."""
    baseline = losses["baseline"]
    return losses["candidate"] - (0 if np.isnan(baseline).all() else baseline)
