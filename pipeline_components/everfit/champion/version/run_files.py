"""The files kept with a run in MLflow, all of them from the store."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path, PurePosixPath

from everfit.champion.version.made_with import MadeWith
from everfit.champion.version.model_folder import model_folder
from everfit.contracts.base import canonical_json
from everfit.contracts.errors import IntegrityError
from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.requests import RegisterRequest
from everfit.contracts.messages.training import TrainResult
from everfit.engine.context import Context


def began(request: RegisterRequest, context: Context) -> int:
    """When the run was opened, in milliseconds since 1970; the same for every attempt."""
    run = context.ledger.run(request.run_key)
    if run is None or not run.at:
        return time.time_ns() // 1_000_000
    return int(datetime.fromisoformat(run.at).timestamp() * 1000)


def run_files(
    request: RegisterRequest,
    run: str,
    began: int,
    made_with: MadeWith,
    card: tuple[str, bytes],
    context: Context,
) -> Iterator[tuple[str, bytes | Path]]:
    """Everything kept with the run: path below its folder → model, reports, pictures, lineage.

    Parameters
    ----------
    run : str
        MLflow's id of it.
    began : int
        Milliseconds since 1970, UTC.
    card : (Markdown, page)
        The model card.

    Raises
    ------
    IntegrityError
        If the store lost or altered one.
    """
    candidate = request.evaluated.candidate

    def local(artifact: Artifact) -> Path:
        return context.store.local(artifact.digest, context.scratch)

    folder = model_folder(
        local(candidate.model),
        candidate,
        request.prepared.columns,
        _integers_with_nulls(local(request.evaluated.sample)),
        run=run,
        began=began,
        made_with=made_with,
    )
    for name, content in folder.items():
        yield f"model/{name}", content
    for plot in request.evaluated.plots:
        yield f"plots/{_file_name(plot)}", local(plot)
    reports = [request.decision.report_html, request.decision.report_json]
    if request.data_report is not None:
        reports.append(request.data_report)
    for report in reports:
        yield f"reports/{_file_name(report)}", local(report)
    markdown, page = card
    yield "reports/model_card.html", page
    yield "model_card.md", markdown.encode()
    yield "lineage.json", lineage(request, made_with.environment)
    if families := trained_families(request, context):
        yield "trials.json", trials(families)


def trained_families(request: RegisterRequest, context: Context) -> tuple[TrainResult, ...]:
    """What train made of each family, as far as the store still has it; of a refit nothing."""
    found = []
    for digest in request.evaluated.trained.values() if not request.refit_of else ():
        try:
            found.append(TrainResult.model_validate_json(context.store.get(digest)))
        except (IntegrityError, ValueError):  # pruned, or of an older Everfit
            continue
    return tuple(found)


def trials(families: Sequence[TrainResult]) -> bytes:
    """Every setting tried, with its score: family → trials, as canonical JSON."""
    return canonical_json(
        {one.family: [trial.model_dump(mode="json") for trial in one.trials] for one in families}
    )


def lineage(request: RegisterRequest, versions: Mapping[str, str]) -> bytes:
    """What the run was made from, whole, as canonical JSON."""
    return canonical_json(
        {
            "run_key": request.run_key,
            "spec": request.spec.model_dump(mode="json"),
            "window": [span.model_dump(mode="json") for span in request.window],
            "holdout": [span.model_dump(mode="json") for span in request.holdout],
            "train": request.prepared.train.model_dump(mode="json"),
            "held_out": request.prepared.holdout.model_dump(mode="json"),
            "model": request.evaluated.candidate.model.model_dump(mode="json"),
            "champion": request.champion.model_dump(mode="json") if request.champion else None,
            "code": request.code,
            "environment": request.environment,
            "versions": dict(versions),
        }
    )


def _integers_with_nulls(sample: Path) -> frozenset[str]:
    """Columns of the sample with a missing value, from the file's footer alone."""
    from pyarrow import parquet

    footer = parquet.read_metadata(sample)
    found = set()
    for group in range(footer.num_row_groups):
        for number in range(footer.num_columns):
            chunk = footer.row_group(group).column(number)
            if chunk.physical_type in ("INT32", "INT64", "DOUBLE", "FLOAT"):
                statistics = chunk.statistics
                if statistics is None or statistics.null_count:
                    found.add(chunk.path_in_schema)
    return frozenset(found)


def _file_name(artifact: Artifact) -> str:
    return PurePosixPath(artifact.name).name
