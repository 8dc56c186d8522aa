"""Any MLflow: a server by URL, or a database that is not written directly.

The server may repeat what it was asked once (a lost reply is sent again), and offers no
transaction. So every effect is searched for by the run key first, and a twin is deleted after.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from everfit.contracts.base import Digest
from everfit.contracts.errors import EverfitError
from everfit.storage.mlflow.base import (
    ALIAS,
    PARENT,
    RUN_KEY,
    Files,
    LoggedRun,
    Registry,
    RunLog,
    RunPlace,
    ShownVersion,
    model_altered,
    ours,
    shown,
    version_gone,
)
from everfit.storage.mlflow.client_errors import error_code, explained
from everfit.storage.mlflow.client_runs import (
    ensure_experiment,
    ensure_run_row,
    every_page,
    log_into,
    log_parts,
    model_digest,
    upload,
)

_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # the task itself is tried again
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}

PLACEHOLDER = "everfit.placeholder"
"""The tag of a version that is made on the way to an old number, and deleted or taken over."""


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
        self.where, self._uri = shown(uri), uri
        served = uri.startswith(("http://", "https://", "databricks"))
        self._location = None if served else artifacts.as_uri()
        if not served:
            with self._translated():
                _reach(uri)
        with self._translated(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow's own deprecations are MLflow's to fix
            from mlflow import MlflowClient

            self._client = MlflowClient(uri, uri)

    def ensure_run(
        self, log: RunLog, files: Callable[[str], Files], known: str | None = None
    ) -> RunPlace:
        """Create the run with its key, log into it, upload, verify, finish; in this order."""
        with self._translated():
            home = log.experiment or log.pipeline
            experiment = ensure_experiment(self._client, home, self._location, self.where)
            run = ensure_run_row(self._client, experiment, log, known)
            content = files(run.info.run_id)
            if run.info.status != "FINISHED":
                log_into(self._client, run, log)
                log_parts(self._client, experiment, run, log)
                upload(self._client, run.info.run_id, content)
            elif log.model and model_digest(self._client, run.info.run_id) != log.model:
                upload(self._client, run.info.run_id, content)
            if log.model is not None:
                found = model_digest(self._client, run.info.run_id)
                if found != log.model:
                    raise model_altered(self.where, run.info.run_id, log.model, found)
            if run.info.status != "FINISHED":
                self._client.set_terminated(run.info.run_id, "FINISHED")
        return RunPlace(experiment=experiment, run=run.info.run_id)

    def ensure_version(
        self,
        pipeline: str,
        run_key: Digest,
        run: str,
        tags: Mapping[str, str],
        description: str,
        *,
        known: int | None = None,
        about: str = "",
    ) -> int:
        """Search by tag, create where absent, search again, delete younger twins."""
        tags = {**tags, RUN_KEY: run_key}
        with self._translated():
            found = self._versions(pipeline, run_key)
            if known is not None and known not in found:
                raise version_gone(self.where, pipeline, known)
            if not found:
                self._ensure_model(pipeline, about)
                uri = self._client.get_run(run).info.artifact_uri
                self._client.create_model_version(
                    pipeline,
                    f"{uri}/model",
                    run,
                    tags,
                    description=description,
                    await_creation_for=0,
                )
                found = self._versions(pipeline, run_key)
            version = known if known is not None else found[0]
            for twin in found:
                if twin != version:
                    self._client.delete_model_version(pipeline, str(twin))
            self.tag_version(pipeline, version, tags)
        return version

    def restore_version(
        self,
        pipeline: str,
        version: int,
        run_key: Digest,
        run: str,
        tags: Mapping[str, str],
        description: str,
        *,
        about: str = "",
    ) -> bool:
        """Create versions until MLflow gives the number, and delete those before it.

        They bear no run key until the number is right, so that one killed in between leaves only
        what the next attempt takes over or deletes.
        """
        with self._translated():
            self._ensure_model(pipeline, about)
            there = self._every_version(pipeline)
            held = there.pop(version, None)
            left = held is not None and PLACEHOLDER in held.tags and held.run_id == run
            if held is not None and held.tags.get(RUN_KEY) != run_key and not left:
                return False
            for number, other in there.items():
                if PLACEHOLDER in other.tags:
                    self._client.delete_model_version(pipeline, str(number))
            if held is None and not self._reach_number(pipeline, version, run, description):
                return False
            self.tag_version(pipeline, version, {**tags, RUN_KEY: run_key})
            if held is None or PLACEHOLDER in held.tags:
                self._client.delete_model_version_tag(pipeline, str(version), PLACEHOLDER)
        return True

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
                if error_code(error) == "RESOURCE_DOES_NOT_EXIST":
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
                if error_code(error) == "RESOURCE_DOES_NOT_EXIST":
                    raise version_gone(self.where, pipeline, version) from error
                raise

    def runs(self, pipeline: str, key_tag: str = RUN_KEY) -> list[LoggedRun]:
        """Search by tag, page by page."""
        with self._translated():
            experiment = self._client.get_experiment_by_name(pipeline)
            if experiment is None:
                return []
            number = str(experiment.experiment_id)
            found = every_page(
                lambda token: self._client.search_runs(
                    [number],
                    f"tags.`{key_tag}` LIKE '%'",
                    order_by=["attributes.start_time ASC"],
                    page_token=token,
                )
            )
        return [
            LoggedRun(
                run=run.info.run_id,
                run_key=run.data.tags[key_tag],
                status=run.info.status,
                tags=ours(run.data.tags),
            )
            for run in found
        ]

    def delete_run(self, run: str) -> None:
        """Artifacts through whatever keeps them, where it lets them go; then the run."""
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        with self._translated():
            try:
                known = self._client.get_run(run)
            except Exception as error:
                if error_code(error) == "RESOURCE_DOES_NOT_EXIST":
                    return
                raise
            if known.info.lifecycle_stage != "active":
                return
            nested = every_page(
                lambda token: self._client.search_runs(
                    [known.info.experiment_id], f"tags.`{PARENT}` = '{run}'", page_token=token
                )
            )
            for part in nested:
                self._client.delete_run(part.info.run_id)
            with suppress(NotImplementedError):
                get_artifact_repository(known.info.artifact_uri, self._uri).delete_artifacts()
            self._client.delete_run(run)

    def versions(self, pipeline: str) -> list[ShownVersion]:
        """Search by name, page by page."""
        with self._translated():
            found = self._every_version(pipeline)
        return [
            ShownVersion(number, tags.get(RUN_KEY), ours(tags))
            for number, tags in sorted((number, one.tags) for number, one in found.items())
        ]

    def _ensure_model(self, pipeline: str, about: str) -> None:
        try:
            self._client.create_registered_model(pipeline, description=about or None)
        except Exception as error:
            if error_code(error) != "RESOURCE_ALREADY_EXISTS":
                raise
            if about and not self._client.get_registered_model(pipeline).description:
                self._client.update_registered_model(pipeline, about)

    def _reach_number(self, pipeline: str, version: int, run: str, description: str) -> bool:
        """Whether a version of that number was made; where not, nothing is left."""
        source = f"{self._client.get_run(run).info.artifact_uri}/model"
        while True:
            with _asking_once():  # a second version for one question would take the next number
                made = self._client.create_model_version(
                    pipeline,
                    source,
                    run,
                    {PLACEHOLDER: "true"},
                    description=description,
                    await_creation_for=0,
                )
            number = int(made.version)
            if number == version:
                return True
            self._client.delete_model_version(pipeline, str(number))
            if number > version:
                return False

    def _every_version(self, pipeline: str) -> dict[int, Any]:
        found = every_page(
            lambda token: self._client.search_model_versions(
                f"name = '{pipeline}'", page_token=token
            )
        )
        return {int(version.version): version for version in found}

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
            raise explained(error, self.where) from error


@contextmanager
def _asking_once() -> Iterator[None]:
    """Let MLflow's client not repeat a question whose answer was lost."""
    name = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
    before = os.environ.get(name)
    os.environ[name] = "0"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _reach(uri: str) -> None:
    """Connect once: MLflow itself would try for minutes, telling every try."""
    import sqlalchemy as sa

    engine = sa.create_engine(uri)
    try:
        engine.connect().close()
    finally:
        engine.dispose()
