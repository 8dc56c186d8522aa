"""What Everfit asks of a model registry, and nothing more.

Every method is idempotent under the run key, so that a caller killed anywhere simply calls again.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from everfit.contracts.base import Digest
from everfit.contracts.errors import IntegrityError

RUN_KEY = "everfit.run_key"
"""The tag runs and versions are found by."""

MONITOR_KEY = "everfit.monitor_key"
"""The tag a monitoring run is found by: it has no model, and is no training run."""

PART = "everfit.part"
"""The tag a nested run is found by: the run key and the part's name, with a slash between."""

PARENT = "mlflow.parentRunId"
"""The tag by which MLflow shows a run below another."""

SHARED = ("mlflow.user", "mlflow.source.name", "mlflow.source.type")
"""Tags that a nested run has of the run it is nested in."""

KIND = ("mlflow.experimentKind", "custom_model_development")
"""The tag by which MLflow opens an experiment as one of machine learning."""

ALIAS = "champion"
"""The alias that says which version serves; a projection of the ledger's journal."""


def monitoring_experiment(pipeline: str) -> str:
    """The experiment of a pipeline's monitoring runs: apart from those that train."""
    return f"{pipeline}.monitor"


MODEL_FILE = "model/model.skops"
"""The artifact that must equal the stored model byte for byte."""

Files = Mapping[str, bytes | Path]
"""Path below the run's artifact folder → content."""

LONGEST_PARAM = 6000
LONGEST_TAG = 5000
LONGEST_DESCRIPTION = 5000


def key_safe(name: str) -> str:
    """A name that MLflow takes as a parameter's or metric's."""
    return re.sub(r"[^\w./: -]", "_", name, flags=re.ASCII)[:250]


def clipped(text: str, most: int) -> str:
    """At most so many characters, with a mark where some were left out."""
    return text if len(text) <= most else text[: most - 2] + " …"


@dataclass(frozen=True)
class Dataset:
    """An input of the run, known by our own digest of all its bytes."""

    name: str
    digest: Digest
    context: str
    rows: int
    columns: Mapping[str, str] = field(default_factory=dict)
    """column → MLflow type, where known."""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def short(self) -> str:
        """MLflow's digest field takes 36 characters; the whole one is in the source."""
        return self.digest[:36]

    @property
    def source(self) -> str:
        """Where it came from, as JSON."""
        return json.dumps({"sha256": self.digest, **self.facts}, sort_keys=True)

    @property
    def schema(self) -> str | None:
        """Its columns, in MLflow's form."""
        if not self.columns:
            return None
        specs = [{"name": name, "type": kind} for name, kind in self.columns.items()]
        return json.dumps({"mlflow_colspec": specs})

    @property
    def profile(self) -> str:
        """Its size, in MLflow's form."""
        return json.dumps({"num_rows": self.rows})


@dataclass(frozen=True)
class Part:
    """A run nested in another: a model family, with what each of its trials scored."""

    name: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    curves: Mapping[str, tuple[tuple[int, float], ...]]
    """metric → its steps and values, in order; finite numbers only."""

    def key(self, run_key: Digest) -> str:
        """What tells it from every other part of every run."""
        return f"{run_key}/{self.name}"

    def points(self) -> Iterator[tuple[str, float, int]]:
        """Every metric, value and step."""
        for name, value in self.metrics.items():
            yield name, value, 0
        for name, curve in self.curves.items():
            for step, value in curve:
                yield name, value, step


@dataclass(frozen=True)
class RunLog:
    """All that is logged of a run, but for its files."""

    pipeline: str
    run_key: Digest
    """The run's key: no second run in the experiment bears it."""
    name: str
    began: int
    """Milliseconds since 1970, UTC; the same for every attempt, so metrics are never doubled."""
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    """Finite numbers only."""
    tags: Mapping[str, str]
    datasets: tuple[Dataset, ...]
    model: Digest | None
    """None where the run keeps no model."""
    key_tag: str = RUN_KEY
    """The tag that holds the key; a training run's is how it is found as one."""
    experiment: str = ""
    """Where it is logged; empty: in the experiment of the pipeline's name."""
    parts: tuple[Part, ...] = ()
    """Runs nested in it, complete before it is."""


@dataclass(frozen=True)
class RunPlace:
    """Where a run is in MLflow."""

    experiment: str
    run: str


@dataclass(frozen=True)
class LoggedRun:
    """A run that MLflow shows under our tag; one that somebody deleted is not shown."""

    run: str
    run_key: Digest
    status: str
    """``FINISHED``, or what MLflow calls any other state."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Those that begin with ``everfit.``."""


@dataclass(frozen=True)
class ShownVersion:
    """A version that MLflow shows."""

    version: int
    run_key: str | None
    """None where the version is not of our making."""
    tags: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Those that begin with ``everfit.``."""


class Registry(ABC):
    """A tracking server and model registry; experiment and model bear the pipeline's name."""

    where: str
    """The address as people may see it: never with credentials."""

    @abstractmethod
    def ensure_run(
        self, log: RunLog, files: Callable[[str], Files], known: str | None = None
    ) -> RunPlace:
        """Make sure that exactly one finished run with the log's key exists, complete.

        Parameters
        ----------
        files : callable
            From the MLflow run id to the artifacts.
        known : str, optional
            The run id a record already names; it is preferred to any twin.

        Raises
        ------
        IntegrityError
            If the model that MLflow keeps differs from ``log.model`` after the upload.
        """

    @abstractmethod
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
        """Make sure that exactly one version with the run key exists; younger twins are deleted.

        Parameters
        ----------
        about : str, optional
            What the registered model is, where it has no description yet.
        known : int, optional
            The version a record already names; it is kept, whatever else is found.

        Raises
        ------
        IntegrityError
            If the recorded version is gone.
        """

    @abstractmethod
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
        """Make sure that a recorded version exists under its old number, without its alias.

        Versions are restored lowest number first, each with every one that is missing below it.

        Parameters
        ----------
        about : str, optional
            What the registered model is, where it has no description yet.

        Returns
        -------
        bool
            False where MLflow does not give that number any more: it has given it before, to a
            version that was deleted or is another's.
        """

    @abstractmethod
    def tag_version(self, pipeline: str, version: int, tags: Mapping[str, str]) -> None:
        """Set tags of a version."""

    @abstractmethod
    def alias(self, pipeline: str) -> int | None:
        """The version ``@champion`` names; None without one."""

    @abstractmethod
    def set_alias(self, pipeline: str, version: int | None) -> None:
        """Let ``@champion`` name a version, or nothing.

        Raises
        ------
        IntegrityError
            If there is no such version.
        """

    @abstractmethod
    def runs(self, pipeline: str, key_tag: str = RUN_KEY) -> list[LoggedRun]:
        """Every run with a key under that tag, oldest first; empty without an experiment."""

    @abstractmethod
    def delete_run(self, run: str) -> None:
        """Remove a run's artifacts, then let MLflow delete it, and what is nested in it first.

        Logged again, it is back.

        Nothing is left to do where it is deleted already or was never there.
        """

    @abstractmethod
    def versions(self, pipeline: str) -> list[ShownVersion]:
        """Every version, lowest number first; empty where there is no model."""

    def close(self) -> None:  # noqa: B027 (not every registry holds a connection)
        """Let go of connections."""

    def __enter__(self) -> Registry:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def ours(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags that Everfit sets."""
    return {name: value for name, value in tags.items() if name.startswith("everfit.")}


def shown(uri: str) -> str:
    """A registry's address without credentials or query."""
    if uri.startswith("sqlite:"):
        return uri.partition("?")[0]
    parts = urlsplit(uri)
    host = parts.hostname or ""
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")


def version_gone(where: str, pipeline: str, version: int) -> IntegrityError:
    """A version that the ledger names and the registry does not have."""
    return IntegrityError(
        "REGISTRY-VERSION-GONE",
        f"{where} model {pipeline}",
        f"MLflow must hold version {version}, which the ledger records",
        "it was deleted, or this is a different registry",
        f"Restore MLflow's database from its backup, make what is gone again with everfit "
        f"reconcile {pipeline} --rebuild, or correct EVERFIT_MLFLOW",
    )


def model_altered(where: str, run: str, expected: Digest, found: Digest | None) -> IntegrityError:
    """A model file in MLflow that is not the one that was judged."""
    return IntegrityError(
        "REGISTRY-MODEL-ALTERED",
        f"{where} run {run} {MODEL_FILE}",
        f"the model in MLflow must have the digest {expected[:12]}",
        f"it has {found[:12]}" if found else "it is not there",
        "Look for another writer or a full disk at MLflow's artifact store, then run again",
    )


def experiment_deleted(where: str, pipeline: str) -> IntegrityError:
    """An experiment in MLflow's bin cannot take runs."""
    return IntegrityError(
        "REGISTRY-EXPERIMENT-DELETED",
        f"{where} experiment {pipeline}",
        "the experiment named after the pipeline must be active",
        "somebody deleted it",
        "Restore it with `mlflow experiments restore`, or remove it for good with `mlflow gc`",
    )
