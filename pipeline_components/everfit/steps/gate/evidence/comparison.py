"""The comparison that the gate decides on: the right one, and the interval it is judged by."""

from __future__ import annotations

import math

from everfit.contracts.messages.requests import GateRequest
from everfit.contracts.messages.verdicts import Bound, Comparison
from everfit.contracts.wording import confidence
from everfit.steps.gate.finding import NotAssessed


def comparison(request: GateRequest) -> Comparison:
    """Candidate against baseline, with margin and intention as the gate declares them.

    Of a champion that has surely decayed, by what the ledger recorded with the evaluation, those of
    ``when_decayed``.

    Raises
    ------
    NotAssessed
        If there is none, or it is not the one this gate asks for.
    """
    decayed = is_decayed(request)
    found = request.evaluated.when_decayed if decayed else request.evaluated.comparison
    if found is None:
        raise NotAssessed("evaluate could not compare the candidate with its baseline")
    if found.metric != request.metric:
        raise NotAssessed(
            f"evaluate compared {found.metric}, but the gate asks for {request.metric}"
        )
    champion = request.champion
    against = f"champion v{champion.version}" if champion else request.evaluated.baseline
    if found.baseline != against or (champion is None and against.startswith("champion")):
        raise NotAssessed(f"evaluate compared with {found.baseline}, not with {against}")
    required = request.gate.required_gain(found.baseline_score, decayed)
    return found.model_copy(update={"margin": required.margin, "intention": required.intention})


def is_decayed(request: GateRequest) -> bool:
    """Whether the gate asks what it asks of a decayed champion."""
    evaluation = request.holdout_evaluation
    return (
        request.champion is not None
        and request.gate.when_decayed is not None
        and evaluation is not None
        and evaluation.decayed
    )


def level_of(request: GateRequest, found: Comparison) -> Bound:
    """The published interval of the largest level that this evaluation may spend.

    Raises
    ------
    NotAssessed
        If nothing may be spent, or no valid interval is published for so small a level.
    """
    evaluation = request.holdout_evaluation
    if evaluation is None:
        raise NotAssessed("the ledger has no record of this run's holdout evaluation")
    allowed = [bound for bound in found.bounds if 0 < bound.alpha <= evaluation.alpha * (1 + 1e-9)]
    if not allowed:
        raise NotAssessed(
            f"evaluate published no interval of the gain for {confidence(evaluation.alpha)}"
        )
    judged = max(allowed, key=lambda bound: bound.alpha)
    value = found.gain.value
    for low, high in ((judged.low, judged.high), (found.gain.low, found.gain.high)):
        numbers = (low, value, high, found.margin)
        if not all(map(math.isfinite, numbers)) or not low <= value <= high:
            raise NotAssessed("the interval of the gain is not finite")
    return judged
