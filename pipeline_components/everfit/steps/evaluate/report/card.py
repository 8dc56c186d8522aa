"""The model card of a candidate: what an evaluation knows of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from everfit.contracts import wording
from everfit.contracts.messages.cards import CardTable, ModelCard
from everfit.contracts.messages.evidence import ImportanceGroup
from everfit.contracts.messages.requests import EvaluateRequest
from everfit.contracts.messages.training import TrainResult
from everfit.contracts.spec.metrics import METRICS
from everfit.reporting.model_card import card_page, unjudged
from everfit.steps.evaluate.score_models import HoldoutScores


def card(
    request: EvaluateRequest,
    candidate: TrainResult,
    baseline: str,
    judged: HoldoutScores,
    *,
    importances: Mapping[str, float],
    groups: Sequence[ImportanceGroup] = (),
    facts: Mapping[str, Any],
    environment: Mapping[str, str],
) -> ModelCard:
    """Gather the card.

    Parameters
    ----------
    request : EvaluateRequest
    candidate : TrainResult
    baseline : str
        ``champion v3`` or the dummy's name.
    judged : HoldoutScores
    importances : mapping
        column → permutation importance.
    groups : sequence of ImportanceGroup
        Of columns shuffled together.
    facts : mapping
        ``rows_train``, ``rows_holdout`` and, where there is a time column, ``from_…``, ``to_…``.
    environment : mapping
        Python, machine and library versions.
    """
    return ModelCard(
        pipeline=request.pipeline,
        description=request.description,
        task=request.task,
        target=request.target,
        unit=request.unit,
        classes=request.classes or (),
        family=candidate.family,
        parameters={
            name: json.dumps(value, sort_keys=True, default=str)
            for name, value in sorted(candidate.params.items())
        },
        settings_tried=len(candidate.trials),
        rows_fitted=candidate.rows,
        size=candidate.model.size,
        tables=tuple(
            CardTable(
                use=use,
                rows=facts[f"rows_{side}"],
                digest=artifact.digest,
                first=facts.get(f"from_{side}"),
                last=facts.get(f"to_{side}"),
            )
            for side, use, artifact in (
                ("train", "training", request.train),
                ("holdout", "holdout", request.holdout),
            )
        ),
        features=tuple(column.name for column in request.columns if column.role == "feature"),
        dropped={reason: rows for reason, rows in sorted(request.dropped.items()) if rows},
        weights=request.weights,
        metric=request.metric,
        baseline=baseline,
        dummy=request.baseline,
        confidence=request.confidence,
        rows_scored=len(judged.losses["candidate"]),
        scores=judged.scores,
        comparison=judged.comparison,
        slices=judged.slices,
        search=judged.search,
        calibration=judged.calibration,
        fairness=judged.fairness,
        importances=dict(importances),
        importance_groups=tuple(groups),
        limitations=tuple(_limitations(request, judged, facts)),
        run_key=request.run_key,
        model=candidate.model.digest,
        seed=request.seed,
        threads=request.threads,
        row_loss=METRICS[request.metric].row_loss.title,
        environment=dict(environment),
    )


def unjudged_page(values: ModelCard, owner: str) -> bytes:
    """The card as a page, before the gate has judged the candidate."""
    return card_page(values, unjudged(owner))


def _limitations(
    request: EvaluateRequest, judged: HoldoutScores, facts: Mapping[str, Any]
) -> list[str]:
    told = []
    if request.time and "to_holdout" in facts:
        told.append(f"Nothing is known of its quality after {facts['to_holdout']}.")
    told.append(
        "Values unlike those it was trained on may be predicted badly, and are not refused."
    )
    thin = [found for found in judged.slices if found.p_value is None]
    if thin:
        listed = "; ".join(f"{found.name} ({found.why})" for found in thin)
        told.append(f"Not assessed on slices: {listed}.")
    if not request.slices and not request.fairness:
        told.append("No slices or groups are declared, so nothing is known of particular ones.")
    if not request.time and not request.entity:
        told.append("Intervals treat rows as independent: no time or entity is declared.")
    if judged.not_finite:
        told.append(f"Not finite, or not scored: {'; '.join(judged.not_finite)}.")
    told.append("Importances say what this model uses, not what causes the target.")
    return [wording.sentence(text) for text in told]
