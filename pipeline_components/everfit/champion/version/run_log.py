"""What is logged of a run: parameters, scores, tags and the data it stood on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from math import isfinite
from typing import Any

from everfit.contracts.errors import shortlist
from everfit.contracts.messages.requests import RegisterRequest
from everfit.contracts.messages.spans import Span
from everfit.contracts.messages.training import ColumnRole, TrainResult
from everfit.contracts.messages.verdicts import Estimate
from everfit.engine.fingerprints import spec_digest
from everfit.storage.mlflow.base import (
    LONGEST_PARAM,
    LONGEST_TAG,
    Dataset,
    Part,
    RunLog,
    clipped,
    key_safe,
)

MOST_SPANS = 200
"""Spans of a side that are listed as datasets of their own; the rest are in the lineage."""

MLFLOW_TYPES = {
    "integer": "long",
    "float": "double",
    "string": "string",
    "boolean": "boolean",
    "timestamp": "datetime",
}
"""A prepared column's type → MLflow's word for it."""


def run_log(
    request: RegisterRequest, began: int, note: str, families: Sequence[TrainResult] = ()
) -> RunLog:
    """All that is logged of a run, but for its files.

    Parameters
    ----------
    began : int
        Milliseconds since 1970, UTC.
    note : str
        Markdown shown on the run's page.
    families : sequence of TrainResult, optional
        What was trained, each a run nested in this one.
    """
    candidate = request.evaluated.candidate
    return RunLog(
        pipeline=request.spec.name,
        run_key=request.run_key,
        name=f"{candidate.family} {request.run_key[:8]}",
        began=began,
        params=parameters(request),
        metrics=metrics(request),
        tags=tags(request) | {"mlflow.note.content": clipped(note, LONGEST_TAG)},
        datasets=tuple(datasets(request)),
        model=candidate.model.digest,
        parts=tuple(nested(request, family) for family in families),
    )


def nested(request: RegisterRequest, family: TrainResult) -> Part:
    """A family as a run: its best setting, its scores, and two curves over its trials."""
    scored = [(step, one.score) for step, one in enumerate(family.trials, 1)]
    finite = [(step, score) for step, score in scored if score is not None and isfinite(score)]
    better = max if request.spec.greater_is_better else min
    best = accumulate((score for _, score in finite), better)
    holdout = request.evaluated.scores.get(f"family:{family.family}", {})
    if family.model.digest == request.evaluated.candidate.model.digest:
        holdout = request.evaluated.scores.get("candidate", holdout)
    values = {name: found.value for name, found in holdout.items()}
    values |= {"cv_score": family.cv_score, "model_bytes": float(family.model.size)}
    params = {"family": family.family, "trials": len(family.trials), "rows_train": family.rows}
    params |= {f"model.{name}": value for name, value in family.params.items()}
    return Part(
        name=family.family,
        params=texts(params),
        metrics={key_safe(name): value for name, value in values.items() if isfinite(value)},
        curves={
            "trial/cv_score": tuple(finite),
            "trial/best_cv_score": tuple(
                (step, score) for (step, _), score in zip(finite, best, strict=True)
            ),
        },
    )


def parameters(request: RegisterRequest) -> dict[str, str]:
    """What was chosen, by the spec and by the search (``model.*``)."""
    spec, candidate = request.spec, request.evaluated.candidate
    values: dict[str, Any] = {
        "task": spec.task,
        "target": spec.target.name,
        "metric": spec.primary_metric,
        "baseline": request.evaluated.baseline,
        "confidence": spec.gate.confidence,
        "family": candidate.family,
        "families": ",".join(family.name for family in spec.train.families),
        "trials": spec.train.trials,
        "folds": spec.train.folds,
        "seed": spec.train.seed,
        "threads": spec.train.threads,
        "rows_train": request.prepared.rows_train,
        "rows_holdout": request.prepared.rows_holdout,
        "spans_window": len(request.window),
        "spans_holdout": len(request.holdout),
        **{f"model.{name}": value for name, value in candidate.params.items()},
    }
    decision = request.decision
    values |= {
        "digest.spec": spec_digest(spec),
        "digest.code": request.code,
        "digest.environment": request.environment,
        "digest.model": candidate.model.digest,
        "digest.train": request.prepared.train.digest,
        "digest.decision": decision.report_json.digest,
    }
    if request.evaluated.not_finite:
        values["not_finite"] = shortlist(request.evaluated.not_finite)
    return texts(values)


def texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Parameters as MLflow takes them."""
    return {
        key_safe(name): clipped(as_text(value), LONGEST_PARAM) for name, value in values.items()
    }


def metrics(request: RegisterRequest) -> dict[str, float]:
    """Scores with their intervals; finite ones only, for MLflow turns infinity into a number.

    The candidate's bear the metric's plain name; ``baseline/``, ``dummy/``, ``family_<name>/`` and
    ``slice_<name>/`` group the others.
    """
    found: dict[str, float] = {}
    evaluated = request.evaluated
    for who, scores in evaluated.scores.items():
        prefix = "" if who == "candidate" else who.replace(":", "_") + "/"
        for name, estimate in scores.items():
            found |= spread(prefix + name, estimate)
    if evaluated.comparison is not None:
        found |= spread("gain", evaluated.comparison.gain)
        found["margin"] = evaluated.comparison.margin
    for piece in evaluated.slices:
        found[f"slice_{piece.name}/rows"] = float(piece.rows)
        if piece.candidate is not None:
            found |= spread(f"slice_{piece.name}/{request.spec.primary_metric}", piece.candidate)
    found["cv_score"] = evaluated.candidate.cv_score
    found["model_bytes"] = float(evaluated.candidate.model.size)
    return {key_safe(name): value for name, value in found.items() if isfinite(value)}


def spread(name: str, estimate: Estimate) -> dict[str, float]:
    """A score and both ends of its interval."""
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def tags(request: RegisterRequest) -> dict[str, str]:
    """What a run is searched and explained by."""
    spec, decision = request.spec, request.decision
    values = {
        "everfit.verdict": decision.verdict,
        "everfit.because": decision.because,
        "everfit.window": span_names(request.window),
        "everfit.holdout": span_names(request.holdout) or "rows of the window",
        "mlflow.user": spec.owner,
        "mlflow.source.name": f"everfit run {spec.name}",
        "mlflow.source.type": "JOB",
    }
    if request.refit_of:
        values["everfit.refit_of"] = request.refit_of
    if spec.tags:
        values["everfit.tags"] = ",".join(spec.tags)
    return {name: clipped(value, LONGEST_TAG) for name, value in values.items()}


def datasets(request: RegisterRequest) -> Iterator[Dataset]:
    """The two prepared tables, then the spans they came from, each under our own digest."""
    prepared = request.prepared
    columns = mlflow_columns(prepared.columns)
    for side, artifact, rows, context in (
        ("training table", prepared.train, prepared.rows_train, "training"),
        ("holdout table", prepared.holdout, prepared.rows_holdout, "holdout"),
    ):
        yield Dataset(
            f"{request.spec.name} {side}",
            artifact.digest,
            context,
            rows,
            columns,
            {"file": artifact.name},
        )
    for context, spans in (("window", request.window), ("holdout span", request.holdout)):
        for span in spans[-MOST_SPANS:]:
            facts = span.model_dump(mode="json", exclude={"digest", "rows"}, exclude_none=True)
            yield Dataset(clipped(span.name, 500), span.digest, context, span.rows, {}, facts)


def mlflow_columns(columns: tuple[ColumnRole, ...]) -> dict[str, str]:
    """Column → MLflow's type."""
    return {column.name: MLFLOW_TYPES[column.type] for column in columns}


def span_names(spans: tuple[Span, ...]) -> str:
    """First and last of many, all of a few."""
    names = [span.name for span in spans]
    if len(names) <= 5:
        return ", ".join(names)
    return f"{names[0]} … {names[-1]} ({len(names)} spans)"


def as_text(value: Any) -> str:
    """A value as a person would write it."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, sort_keys=True)
    return str(value)
