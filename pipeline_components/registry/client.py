"""Any MLflow: a server by URL, or a database that is not written directly.

The server may repeat what it was asked once (a lost reply is sent again), and offers no
transaction. So every effect is searched for by the run key first, and a twin is deleted after.
"""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline_components.contracts.base import Digest
from pipeline_components.contracts.errors import (
    CredentialsError,
    EverfitError,
    RequestError,
    Unavailable,
)
from pipeline_components.registry.base import (
    ALIAS,
    MODEL_FILE,
    RUN_KEY,
    Files,
    LoggedRun,
    Registry,
    RunLog,
    RunPlace,
    ShownVersion,
    experiment_deleted,
    model_altered,
    shown,
    version_gone,
)
from pipeline_components.store import digest_file

_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # the task itself is tried again
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}

_BATCH = 100
"""The most params or tags that MLflow takes at once."""

_METRICS = 1000 - 2 * _BATCH


class ClientRegistry(Registry):
    """A registry behind MLflow's own client.

    Parameters
    ----------
    uri : str
        Tracking and registry address; user name and password come from
        ``MLFLOW_TRACKING_USERNAME`` and ``MLFLOW_TRACKING_PASSWORD``.
    artifacts : Path
        Where a new experiment keeps its artifacts, unless a server decides.
    """

    def __init__(self, uri: str, artifacts: Path) -> None:
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        # One line says that it did not answer; a line for each try says no more.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
        self.where = shown(uri)
        served = uri.startswith(("http://", "https://", "databricks"))
        self._location = None if served else artifacts.as_uri()
        if not served:
            with self._translated():
                _reach(uri)
        with self._translated(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow's own deprecations are MLflow's to mend
            from mlflow import MlflowClient

            self._client = MlflowClient(uri, uri)

    def ensure_run(
        self, log: RunLog, files: Callable[[str], Files], known: str | None = None
    ) -> RunPlace:
        """Create the run with its key, log into it, upload, verify, finish; in this order."""
        with self._translated():
            experiment = self._ensure_experiment(log.pipeline)
            run = self._ensure_run_row(experiment, log, known)
            content = files(run.info.run_id)
            if run.info.status != "FINISHED":
                self._log(run, log)
                self._upload(run.info.run_id, content)
            elif log.model and self._model_digest(run.info.run_id) != log.model:
                self._upload(run.info.run_id, content)
            if log.model is not None:
                found = self._model_digest(run.info.run_id)
                if found != log.model:
                    raise model_altered(self.where, run.info.run_id, log.model, found)
            if run.info.status != "FINISHED":
                self._client.set_terminated(run.info.run_id, "FINISHED")
        return RunPlace(experiment=experiment, run=run.info.run_id)

    def ensure_version(
        self, pipeline: str, run_key: Digest, run: str, tags: Mapping[str, str], description: str,
        *, known: int | None = None,
    ) -> int:  # fmt: skip
        """Search by tag, create where absent, search again, delete younger twins."""
        tags = {**tags, RUN_KEY: run_key}
        with self._translated():
            found = self._versions(pipeline, run_key)
            if known is not None and known not in found:
                raise version_gone(self.where, pipeline, known)
            if not found:
                self._ensure_model(pipeline)
                uri = self._client.get_run(run).info.artifact_uri
                self._client.create_model_version(
                    pipeline, f"{uri}/model", run, tags, description=description,
                    await_creation_for=0,
                )  # fmt: skip
                found = self._versions(pipeline, run_key)
            version = known if known is not None else found[0]
            for twin in found:
                if twin != version:
                    self._client.delete_model_version(pipeline, str(twin))
            self.tag_version(pipeline, version, tags)
        return version

    def tag_version(self, pipeline: str, version: int, tags: Mapping[str, str]) -> None:
        """Set the tags that differ."""
        with self._translated():
            present = self._client.get_model_version(pipeline, str(version)).tags
            for key, value in tags.items():
                if present.get(key) != value:
                    self._client.set_model_version_tag(pipeline, str(version), key, value)

    def alias(self, pipeline: str) -> int | None:
        """Look the alias up."""
        with self._translated():
            try:
                model = self._client.get_registered_model(pipeline)
            except Exception as error:
                if _code(error) == "RESOURCE_DOES_NOT_EXIST":
                    return None
                raise
            found = model.aliases.get(ALIAS)
            return int(found) if found is not None else None

    def set_alias(self, pipeline: str, version: int | None) -> None:
        """Set or remove the alias."""
        with self._translated():
            if version is None:
                self._client.delete_registered_model_alias(pipeline, ALIAS)
                return
            try:
                self._client.set_registered_model_alias(pipeline, ALIAS, str(version))
            except Exception as error:
                if _code(error) == "RESOURCE_DOES_NOT_EXIST":
                    raise version_gone(self.where, pipeline, version) from error
                raise

    def runs(self, pipeline: str) -> list[LoggedRun]:
        """Search by tag, page by page."""
        with self._translated():
            experiment = self._client.get_experiment_by_name(pipeline)
            if experiment is None:
                return []
            number = str(experiment.experiment_id)
            found = _every_page(
                lambda token: self._client.search_runs(
                    [number], f"tags.`{RUN_KEY}` LIKE '%'",
                    order_by=["attributes.start_time ASC"], page_token=token,
                )
            )  # fmt: skip
        return [
            LoggedRun(
                run=run.info.run_id,
                run_key=run.data.tags[RUN_KEY],
                status=run.info.status,
                tags={k: v for k, v in run.data.tags.items() if k.startswith("everfit.")},
            )
            for run in found
        ]

    def versions(self, pipeline: str) -> list[ShownVersion]:
        """Search by name, page by page."""
        with self._translated():
            found = _every_page(
                lambda token: self._client.search_model_versions(
                    f"name = '{pipeline}'", page_token=token
                )
            )
        shown_ones = [ShownVersion(int(v.version), v.tags.get(RUN_KEY)) for v in found]
        return sorted(shown_ones, key=lambda version: version.version)

    def _ensure_experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is None:
            try:
                # Two experiments may share the folder: a run's id tells its artifacts apart.
                return str(self._client.create_experiment(name, self._location))
            except Exception as error:
                if _code(error) != "RESOURCE_ALREADY_EXISTS":
                    raise
                found = self._client.get_experiment_by_name(name)
        if found.lifecycle_stage != "active":
            raise experiment_deleted(self.where, name)
        return str(found.experiment_id)

    def _ensure_run_row(self, experiment: str, log: RunLog, known: str | None) -> Any:
        found = self._runs(experiment, log, known)
        if not found:
            self._client.create_run(
                experiment, log.began, {**log.tags, log.key_tag: log.run_key}, log.name
            )
            found = self._runs(experiment, log, known)
        for twin in found[1:]:
            self._client.delete_run(twin.info.run_id)
        return found[0]

    def _runs(self, experiment: str, log: RunLog, known: str | None) -> list[Any]:
        """Active runs of the key, the one to keep first."""
        found = self._client.search_runs([experiment], f"tags.`{log.key_tag}` = '{log.run_key}'")
        return sorted(
            found,
            key=lambda run: (
                run.info.run_id != known, run.info.status != "FINISHED", run.info.start_time,
                run.info.run_id,
            ),
        )  # fmt: skip

    def _log(self, run: Any, log: RunLog) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

        # The time of the run that exists, so that a second attempt repeats no metric.
        when = run.info.start_time
        metrics = [Metric(key, value, when, 0) for key, value in log.metrics.items()]
        params = [Param(key, value) for key, value in log.params.items()]
        tags = [RunTag(key, value) for key, value in log.tags.items()]
        while metrics or params or tags:
            self._client.log_batch(
                run.info.run_id, metrics[:_METRICS], params[:_BATCH], tags[:_BATCH]
            )
            del metrics[:_METRICS], params[:_BATCH], tags[:_BATCH]
        self._client.log_inputs(
            run.info.run_id,
            [
                DatasetInput(
                    Dataset(d.name, d.short, "everfit", d.source, d.schema, d.profile),
                    [InputTag("mlflow.data.context", d.context)],
                )
                for d in log.datasets
            ],
        )

    def _upload(self, run: str, files: Files) -> None:
        with tempfile.TemporaryDirectory(prefix="everfit-upload-") as folder:
            for name, content in files.items():
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                if isinstance(content, bytes):
                    path.write_bytes(content)
                else:
                    path.symlink_to(content)
            self._client.log_artifacts(run, folder)

    def _model_digest(self, run: str) -> Digest | None:
        """What MLflow gives back, for it may live on another machine."""
        with tempfile.TemporaryDirectory(prefix="everfit-verify-") as folder:
            listed = {item.path for item in self._client.list_artifacts(run, "model")}
            if MODEL_FILE not in listed:
                return None
            return digest_file(Path(self._client.download_artifacts(run, MODEL_FILE, folder)))

    def _ensure_model(self, pipeline: str) -> None:
        try:
            self._client.create_registered_model(pipeline)
        except Exception as error:
            if _code(error) != "RESOURCE_ALREADY_EXISTS":
                raise

    def _versions(self, pipeline: str, run_key: Digest) -> list[int]:
        found = self._client.search_model_versions(
            f"name = '{pipeline}' and tags.`{RUN_KEY}` = '{run_key}'"
        )
        return sorted(int(version.version) for version in found)  # str over HTTP

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Say in one line what MLflow refused."""
        try:
            yield
        except EverfitError:
            raise
        except Exception as error:
            raise self._explained(error) from error

    def _explained(self, error: Exception) -> EverfitError:
        status = _status(error)
        if status in (401, 403):
            return CredentialsError(
                "REGISTRY-CREDENTIALS",
                self.where,
                "MLflow must accept the user's name and password",
                "it refused them" if status == 401 else "the user may not do this",
                "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
            )
        if "out-of-date database schema" in str(error):
            return RequestError(
                "REGISTRY-SCHEMA", self.where, "MLflow's database must fit its version",
                "its schema is older or newer",
                "Back it up, then run `mlflow db upgrade` on it, or use the MLflow it was made by",
            )  # fmt: skip
        if isinstance(error, ImportError) or type(error).__name__ == "NoSuchModuleError":
            return RequestError(
                "REGISTRY-DRIVER", self.where, "the database's driver must be installed",
                str(error).splitlines()[0][:200], "Install it where the components run",
            )  # fmt: skip
        if "authentication failed" in str(error):
            return CredentialsError(
                "REGISTRY-CREDENTIALS", self.where,
                "MLflow's database must accept the user's name and password", "it refused them",
                "Correct EVERFIT_MLFLOW",
            )  # fmt: skip
        lines = str(error).strip().splitlines()
        found = f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
        if "failed with exception" in found or "Max retries exceeded" in found:
            found = "it did not answer"
        if _code(error) in ("INVALID_PARAMETER_VALUE", "BAD_REQUEST") and status == 400:
            return RequestError(
                "REGISTRY-REFUSED", self.where, "MLflow must accept what is logged", found,
                "Compare its version with the one this environment has",
            )  # fmt: skip
        return Unavailable(
            "REGISTRY-UNAVAILABLE", self.where, "MLflow must answer", found,
            "Start it, or correct EVERFIT_MLFLOW, and try again",
        )  # fmt: skip


def _reach(uri: str) -> None:
    """Connect once: MLflow itself would try for minutes, telling every try."""
    import sqlalchemy as sa

    engine = sa.create_engine(uri)
    try:
        engine.connect().close()
    finally:
        engine.dispose()


def _every_page(ask: Callable[[str | None], Any]) -> list[Any]:
    """What a search finds on all its pages."""
    found: list[Any] = []
    token: str | None = None
    while True:
        page = ask(token)
        found += page
        token = page.token
        if not token:
            return found


def _code(error: Exception) -> str:
    return str(getattr(error, "error_code", ""))


def _status(error: Exception) -> int | None:
    """The HTTP status behind an error, from MLflow's own exceptions or the HTTP client's."""
    asked = getattr(error, "get_http_status_code", None)
    if asked is not None:
        return int(asked())
    return getattr(getattr(error, "response", None), "status_code", None)
