"""Experiments and runs through MLflow's client: found by their key first, twins deleted after."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from everfit.contracts.base import Digest
from everfit.storage.mlflow.base import MODEL_FILE, Files, RunLog, experiment_deleted
from everfit.storage.mlflow.client_errors import error_code, raced
from everfit.storage.store import digest_file

_BATCH = 100
"""The most params or tags that MLflow takes at once."""

_METRICS = 1000 - 2 * _BATCH


def ensure_experiment(client: Any, name: str, location: str | None, where: str) -> str:
    """The number of the experiment of that name; made where it is not there."""
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            # Two experiments may share the folder: a run's id tells its artifacts apart.
            return str(client.create_experiment(name, location))
        except Exception as error:
            if error_code(error) != "RESOURCE_ALREADY_EXISTS":
                raise
            found = client.get_experiment_by_name(name)
    if found.lifecycle_stage != "active":
        raise experiment_deleted(where, name)
    return str(found.experiment_id)


def ensure_run_row(client: Any, experiment: str, log: RunLog, known: str | None) -> Any:
    """The one run with the log's key; twins are deleted."""
    found = _runs(client, experiment, log, known)
    if not found:
        client.create_run(experiment, log.began, {**log.tags, log.key_tag: log.run_key}, log.name)
        found = _runs(client, experiment, log, known)
    for twin in found[1:]:
        client.delete_run(twin.info.run_id)
    return found[0]


def _runs(client: Any, experiment: str, log: RunLog, known: str | None) -> list[Any]:
    """Active runs of the key, the one to keep first."""
    found = client.search_runs([experiment], f"tags.`{log.key_tag}` = '{log.run_key}'")
    return sorted(
        found,
        key=lambda run: (
            run.info.run_id != known,
            run.info.status != "FINISHED",
            run.info.start_time,
            run.info.run_id,
        ),
    )


def log_into(client: Any, run: Any, log: RunLog) -> None:
    """Log metrics, params, tags and data sets."""
    from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

    # The time of the run that exists, so that a second attempt repeats no metric.
    when = run.info.start_time
    metrics = [Metric(key, value, when, 0) for key, value in log.metrics.items()]
    params = [Param(key, value) for key, value in log.params.items()]
    tags = [RunTag(key, value) for key, value in log.tags.items()]
    while metrics or params or tags:
        client.log_batch(run.info.run_id, metrics[:_METRICS], params[:_BATCH], tags[:_BATCH])
        del metrics[:_METRICS], params[:_BATCH], tags[:_BATCH]
    inputs = [
        DatasetInput(
            Dataset(d.name, d.short, "everfit", d.source, d.schema, d.profile),
            [InputTag("mlflow.data.context", d.context)],
        )
        for d in log.datasets
    ]
    try:
        client.log_inputs(run.info.run_id, inputs)
    except Exception as error:
        # A data set is a row that runs share, and MLflow does not expect two to write it at
        # once; by now it is there.
        if not raced(error):
            raise
        client.log_inputs(run.info.run_id, inputs)


def upload(client: Any, run: str, files: Files) -> None:
    """Upload a run's files."""
    with tempfile.TemporaryDirectory(prefix="everfit-upload-") as folder:
        for name, content in files.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                path.symlink_to(content)
        client.log_artifacts(run, folder)


def model_digest(client: Any, run: str) -> Digest | None:
    """What MLflow gives back, for it may live on another machine."""
    with tempfile.TemporaryDirectory(prefix="everfit-verify-") as folder:
        listed = {item.path for item in client.list_artifacts(run, "model")}
        if MODEL_FILE not in listed:
            return None
        return digest_file(Path(client.download_artifacts(run, MODEL_FILE, folder)))


def every_page(ask: Callable[[str | None], Any]) -> list[Any]:
    """What a search finds on all its pages."""
    found: list[Any] = []
    token: str | None = None
    while True:
        page = ask(token)
        found += page
        token = page.token
        if not token:
            return found
