"""What an MLflow server holds, read past the code that is under proof; the rest is ``seen``'s."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import urlsplit

from everfit.contracts.settings import Settings
from everfit.operations.chaos.seen import (
    KEY,
    Rows,
    Shown,
    ledger_rows,
    mlflow_in_file,
    stored,
    unsigned,
)

__all__ = ["SERVED", "Rows", "Shown", "ledger_rows", "shown", "stored"]

PART, PARENT = "everfit.part", "mlflow.parentRunId"

SERVED: list[Path] = []
"""Where the MLflow server of this session keeps artifacts: read there, past the server."""


def shown(settings: Settings, pipeline: str) -> Shown:
    """Read MLflow: its SQLite file directly, a server through its own client."""
    if settings.mlflow.startswith("http"):
        return _served(settings, pipeline)
    return mlflow_in_file(settings, pipeline)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _served(settings: Settings, pipeline: str) -> Shown:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client = MlflowClient(settings.mlflow, settings.mlflow)
    try:
        alias = client.get_registered_model(pipeline).aliases.get("champion")
    except MlflowException:
        alias = None
    versions, models, more = {}, {}, {}
    for found in client.search_model_versions(f"name = '{pipeline}'"):
        number = int(found.version)
        versions[number] = (found.tags.get(KEY, ""), found.run_id)
        tags = sorted(unsigned(number, key, value) for key, value in found.tags.items())
        more[f"v{number}"] = (found.description, tags)
        place = urlsplit(found.source).path.strip("/")
        file = SERVED[0] / place / "model.skops"
        models[number] = _digest(file.read_bytes()) if file.exists() else None
    runs = {}
    experiment = client.get_experiment_by_name(pipeline)
    if experiment is not None:
        for run in client.search_runs([experiment.experiment_id]):
            part = run.data.tags.get(PART)
            key = part or run.data.tags.get(KEY, "")
            if part is None:
                runs[run.info.run_id] = (key, run.info.status)
            else:
                assert key not in more, f"{key} is nested twice"
            listed = _files(run.info.experiment_id, run.info.run_id)
            measured = [
                len(client.get_metric_history(run.info.run_id, name))
                for name in sorted(run.data.metrics)[:1]
            ]
            inputs = sorted((i.dataset.name, i.dataset.digest) for i in run.inputs.dataset_inputs)
            more[key] = (
                run.info.status,
                run.info.run_name,
                sorted(run.data.params.items()),
                sorted(run.data.metrics.items()),
                sorted((k, v) for k, v in run.data.tags.items() if k != PARENT),
                listed,
                measured,
                inputs,
            )
    return Shown(int(alias) if alias else None, versions, models, runs, more)


def _files(experiment: str, run: str) -> dict[str, str]:
    """Path → digest of the file, without the run's own name."""
    folder = SERVED[0] / experiment / run / "artifacts"
    return {
        path.relative_to(folder).as_posix(): _digest(
            path.read_bytes().replace(run.encode(), b"RUN")
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
