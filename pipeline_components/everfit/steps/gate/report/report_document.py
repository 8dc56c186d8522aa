"""The decision report as JSON: everything that was looked at, and what would have flipped it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from everfit.contracts.base import canonical_json
from everfit.contracts.messages.evaluations import HoldoutEvaluation
from everfit.contracts.messages.requests import GateRequest
from everfit.contracts.messages.verdicts import Check, Comparison, VerdictName
from everfit.steps.gate.decide import obstructing


def report_json(
    request: GateRequest,
    verdict: VerdictName,
    because: str,
    checks: Sequence[Check],
    compared: Comparison | None,
) -> bytes:
    """The whole decision as canonical JSON."""
    evaluated, prepared = request.evaluated, request.prepared
    document: dict[str, Any] = {
        "format": 2,
        "pipeline": request.pipeline,
        "run_key": request.run_key,
        "verdict": verdict,
        "because": because,
        "would_have_flipped_it": list(flips(verdict, checks)),
        "checks": [check.model_dump(mode="json") for check in checks],
        "gate": request.gate.model_dump(mode="json"),
        "comparison": compared.model_dump(mode="json") if compared else None,
        "candidate": {
            "family": evaluated.candidate.family,
            "params": evaluated.candidate.params,
            "cv_score": evaluated.candidate.cv_score,
            "model": evaluated.candidate.model.model_dump(mode="json"),
        },
        "champion": request.champion.model_dump(mode="json") if request.champion else None,
        "trigger": request.trigger.model_dump(mode="json"),
        "budget": _budget(request),
        "baseline": evaluated.baseline,
        "scores": {
            model: {metric: found.model_dump(mode="json") for metric, found in scores.items()}
            for model, scores in evaluated.scores.items()
        },
        "slices": [found.model_dump(mode="json") for found in evaluated.slices],
        "calibration": evaluated.calibration.model_dump(mode="json")
        if evaluated.calibration
        else None,
        "fairness": [found.model_dump(mode="json") for found in evaluated.fairness],
        "disturbed": [found.model_dump(mode="json") for found in evaluated.disturbed],
        "window": [span.model_dump(mode="json") for span in request.window],
        "holdout": [span.model_dump(mode="json") for span in request.holdout],
        "rows": {
            "train": prepared.rows_train,
            "holdout": prepared.rows_holdout,
            "dropped": prepared.dropped,
        },
        **(
            {"weights": prepared.weights.model_dump(mode="json")}
            if prepared.weights is not None
            else {}
        ),
        "cost": [cost.model_dump(mode="json", exclude={"at"}) for cost in request.costs],
        "lineage": dict(lineage(request)),
        "seed": request.seed,
    }
    return canonical_json(document)


def flips(verdict: VerdictName, checks: Sequence[Check]) -> list[str]:
    """What would have changed the verdict, a sentence each."""
    if verdict == "promote":
        told = [check.flip for check in checks if check.code == "GAIN" and check.flip]
    else:
        told = [
            check.flip or f"“{check.title}” would have had to pass"
            for check in obstructing(checks)
            if check.state == "failed"
        ] or [f"“{check.title}” would have had to be judged" for check in obstructing(checks)]
    return [f"{sentence.rstrip('.')}." for sentence in told]


def lineage(request: GateRequest) -> list[tuple[str, str | None]]:
    """What was made and what it was made from, by digest; None where there is no champion."""
    prepared, evaluated = request.prepared, request.evaluated
    champion = request.champion
    return [
        ("run_key", request.run_key),
        ("training_table", prepared.train.digest),
        ("holdout_table", prepared.holdout.digest),
        ("split_proof", prepared.proof.digest),
        ("candidate_model", evaluated.candidate.model.digest),
        ("champion_model", champion.model.digest if champion else None),
        ("champion_run_key", champion.run_key if champion else None),
        ("champion_training_table", champion.train.digest if champion else None),
        ("row_losses", evaluated.losses.digest),
        ("sample", evaluated.sample.digest),
        ("sample_predictions", evaluated.predictions.digest),
        ("model_card", evaluated.card.digest),
    ]


def _budget(request: GateRequest) -> dict[str, Any]:
    """What this evaluation could spend, and what those of the year before it have spent."""

    def told(evaluation: HoldoutEvaluation) -> dict[str, Any]:
        return evaluation.model_dump(mode="json", exclude={"at"})

    return {
        "false_promotions_a_year": request.gate.false_promotions,
        "evaluation": told(request.holdout_evaluation) if request.holdout_evaluation else None,
        "evaluations_before": [told(one) for one in request.evaluations_before],
    }
