"""What MLflow is told of one evaluation: one run a champion, a span and what was measured of it."""

from __future__ import annotations

import math
from collections.abc import Iterator

from everfit.contracts.base import Digest, canonical_json, digest_bytes
from everfit.contracts.messages.monitoring import DriftReportRequest, SpanEvaluation
from everfit.storage.mlflow import MONITOR_KEY, Dataset, RunLog, monitoring_experiment
from everfit.storage.mlflow.base import LONGEST_TAG, clipped, key_safe

MOST_COLUMNS = 200
"""Columns whose score is a metric of its own: the most drifted."""


def monitor_key(request: DriftReportRequest, evaluation: SpanEvaluation) -> Digest:
    """What tells the run from every other: labels that arrive late make another one."""
    return digest_bytes(
        canonical_json(
            {
                "pipeline": request.pipeline,
                "champion": request.champion.run_key,
                "evaluation": evaluation.model_dump(mode="json"),
            }
        )
    )


def run_log(request: DriftReportRequest, evaluation: SpanEvaluation, began: int) -> RunLog:
    """All that is logged of an evaluation, but for its files.

    Parameters
    ----------
    request : DriftReportRequest
        Whose champion was evaluated.
    evaluation : SpanEvaluation
    began : int
        Milliseconds since 1970, UTC.
    """
    champion, span = request.champion, evaluation.span
    tags = {
        "everfit.stage": "monitor",
        "everfit.state": evaluation.state,
        "everfit.because": evaluation.because,
        "everfit.span": span.name,
        "everfit.span_digest": span.digest,
        "everfit.champion": f"v{champion.version}",
        "everfit.champion_run_key": champion.run_key,
        "everfit.drifted": ", ".join(c.name for c in evaluation.columns if c.drifted) or "none",
        "mlflow.user": request.owner or "everfit",
        "mlflow.source.name": f"everfit monitor {request.pipeline}",
        "mlflow.source.type": "JOB",
        "mlflow.note.content": f"**{span.name}** against champion v{champion.version}: "
        f"{evaluation.because}",
    }
    return RunLog(
        pipeline=request.pipeline,
        run_key=monitor_key(request, evaluation),
        name=f"monitor {span.name} v{champion.version}"[:250],
        began=began,
        params={
            "champion_version": str(champion.version),
            "span": clipped(span.name, 500),
            "reference_spans": str(len(request.reference)),
        },
        metrics={
            key_safe(name): value for name, value in metrics(evaluation) if math.isfinite(value)
        },
        tags={name: clipped(value, LONGEST_TAG) for name, value in tags.items()},
        datasets=(Dataset(span.name, span.digest, "monitored", span.rows),),
        model=None,
        key_tag=MONITOR_KEY,
        experiment=monitoring_experiment(request.pipeline),
    )


def metrics(evaluation: SpanEvaluation) -> Iterator[tuple[str, float]]:
    """Names and values: ``drift/<column>``, the largest scores, ``<metric>_worse`` and its bound.

    An estimate is named one, ``<metric>_worse_estimated``; predictions as they were served end in
    ``_served``.
    """
    yield "rows", float(evaluation.span.rows)
    yield "drift_inputs", evaluation.inputs
    yield "drift_any_column", evaluation.any_column
    yield "drifted_columns", float(sum(column.drifted for column in evaluation.columns))
    yield "columns", float(len(evaluation.columns))
    for column in evaluation.columns[:MOST_COLUMNS]:
        yield f"drift/{column.name}", column.score
    for rise in evaluation.rises:
        end = "_estimated" if rise.estimated else ""
        end += "_served" if rise.source == "logged" else ""
        yield f"{rise.metric}{end}", rise.current
        yield f"{rise.metric}_reference{end}", rise.reference
        yield f"{rise.metric}_worse{end}", rise.worse
        if not rise.estimated:
            yield f"{rise.metric}_worse_low{end}", rise.low
        if rise.attainable is not None:
            yield f"{rise.metric}_attainable{end}", rise.attainable.score
