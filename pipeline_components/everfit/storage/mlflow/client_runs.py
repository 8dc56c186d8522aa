"""Experiments and runs through MLflow's client: found by their key first, twins deleted after."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from everfit.contracts.base import Digest
from everfit.storage.mlflow.base import (
    KIND,
    MODEL_FILE,
    PARENT,
    PART,
    SHARED,
    Files,
    RunLog,
    experiment_deleted,
)
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
            return str(client.create_experiment(name, location, dict([KIND])))
        except Exception as error:
            if error_code(error) != "RESOURCE_ALREADY_EXISTS":
                raise
            found = client.get_experiment_by_name(name)
    if found.lifecycle_stage != "active":
        raise experiment_deleted(where, name)
    if KIND[0] not in found.tags:
        client.set_experiment_tag(found.experiment_id, *KIND)
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


def log_parts(client: Any, experiment: str, run: Any, log: RunLog) -> None:
    """Log the runs nested in one, each once: found by their key, twins deleted, then finished."""
    from mlflow.entities import Metric, Param, RunTag

    if not log.parts:
        return
    parent, found = run.info.run_id, _parts(client, experiment, log)
    tags = {name: value for name, value in log.tags.items() if name in SHARED}
    missing = [part for part in log.parts if part.key(log.run_key) not in found]
    for part in missing:
        own = {**tags, PART: part.key(log.run_key), PARENT: parent}
        client.create_run(experiment, log.began, own, part.name)
    if missing:
        found = _parts(client, experiment, log)
    for part in log.parts:
        nested, *twins = found[part.key(log.run_key)]
        for twin in twins:
            client.delete_run(twin.info.run_id)
        where = nested.info.run_id
        above = [] if nested.data.tags.get(PARENT) == parent else [RunTag(PARENT, parent)]
        if nested.info.status == "FINISHED" and not above:
            continue
        when = nested.info.start_time
        metrics = [Metric(name, value, when, step) for name, value, step in part.points()]
        params = [Param(key, value) for key, value in part.params.items()]
        while metrics or params or above:
            client.log_batch(where, metrics[:_METRICS], params[:_BATCH], above)
            del metrics[:_METRICS], params[:_BATCH], above[:]
        client.set_terminated(where, "FINISHED")


def _parts(client: Any, experiment: str, log: RunLog) -> dict[str, list[Any]]:
    """Key → the active runs of that part, the one to keep first."""
    every = every_page(
        lambda token: client.search_runs(
            [experiment], f"tags.`{PART}` LIKE '{log.run_key}/%'", page_token=token
        )
    )
    found: dict[str, list[Any]] = {}
    for one in sorted(
        every,
        key=lambda one: (one.info.status != "FINISHED", one.info.start_time, one.info.run_id),
    ):
        found.setdefault(one.data.tags[PART], []).append(one)
    return found


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
