"""Where data came from and where it went, for OpenLineage; silent where its provider is absent.

A result of a component is one data set, named after pipeline and component, and each of its digests
is a version of it: so a catalogue shows one graph per pipeline, not one for every run.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from pipeline_components.contracts.runners import needs
from pipeline_components.contracts.settings import Settings
from pipeline_components.contracts.steps import Component, Order, Outcome

log = logging.getLogger(__name__)


KNOW_THE_RUN: tuple[Component, ...] = ("validate", "prepare", "plan")
"""The components that tell the run's key; plan only where it knows the digests of all spans."""


@dataclass
class Work:
    """What a task does, as far as it is known."""

    order: Order
    settings: Settings
    upstream: Mapping[Component, Sequence[Any]]
    """Component whose result is read → outcomes of its tasks, as XCom gives them back."""
    outcome: Outcome | None = None
    """None until it is done, and of one that failed."""
    registry: str = ""
    """Where MLflow is, if a connection says so; else it is in the settings."""

    def told(self, component: Component, name: str) -> str:
        """A value that a component has told in its summary, empty where it has not."""
        outcomes = [self.outcome] if self.outcome else []
        for found in (*self.upstream.get(component, ()), *(o.model_dump() for o in outcomes)):
            if isinstance(found, Mapping) and found.get("component") == component:
                return str(found.get("summary", {}).get(name) or "")
        return ""


class Named(NamedTuple):
    """A data set as OpenLineage names it."""

    namespace: str
    name: str
    version: str = ""
    rows: int | None = None
    size: int | None = None


def facets(work: Work | None) -> Any:
    """What a component read and wrote: for ``get_openlineage_facets_on_complete``.

    Returns
    -------
    OperatorLineage or None
        None where nothing was begun, or there is no OpenLineage provider.
    """
    if work is None:
        return None
    try:
        from everfit_airflow.lineage_facets import operator_lineage
    except ImportError:
        return None
    order = work.order
    about = {
        "pipeline": order.pipeline.name,
        "component": order.component,
        "family": order.family or "",
        "run_key": next(filter(None, (work.told(name, "run_key") for name in KNOW_THE_RUN)), ""),
        "verdict": work.told("gate", "verdict"),
        "reason": order.trigger.reason,
        "key": work.outcome.key if work.outcome else "",
        "cached": work.outcome.cached if work.outcome else False,
    }
    query = order.pipeline.source.query if "source" in needs(order.component) else None
    return operator_lineage(read_by(work), written_by(work), about, query)


def read_by(work: Work) -> list[Named]:
    """The source, and the results of the components before."""
    order = work.order
    found = [source(work)] if "source" in needs(order.component) else []
    for component, digests in order.upstream.items():
        found += [result(work, component, digest) for digest in digests]
    return found


def written_by(work: Work) -> list[Named]:
    """Its own result, and the version where one was registered."""
    outcome, component = work.outcome, work.order.component
    if outcome is None:
        return []
    made = result(work, component, outcome.result, outcome)
    version = outcome.summary.get("version")
    if component == "register" and version is not None:
        return [made, model(work, str(version))]
    return [made]


def source(work: Work) -> Named:
    """The table: the folder or the prefix of its files, or the connection that is asked."""
    spec = work.order.pipeline.source
    if spec.is_sql:
        return Named(f"connection://{spec.connection}", work.order.pipeline.name)
    uri = spec.uri.replace("{data}", str(work.settings.data))
    parts = urlsplit(uri)
    folder = _before_glob(uri if parts.scheme == "" else unquote(parts.path))
    if parts.scheme in ("", "file"):
        return Named("file", folder if folder.startswith("/") else f"{work.settings.root}/{folder}")
    return Named(f"{parts.scheme}://{parts.netloc}", folder.strip("/") or "/")


def result(work: Work, component: Component, digest: str, outcome: Outcome | None = None) -> Named:
    """What a component left in the store."""
    parts = urlsplit(work.settings.store)
    label = f"{work.order.pipeline.name}.{component}"
    namespace = "file" if parts.scheme == "file" else f"{parts.scheme}://{parts.netloc}"
    place = unquote(parts.path).rstrip("/")
    name = f"{place}/{label}" if parts.scheme == "file" else f"{place}/{label}".lstrip("/")
    told = outcome.summary if outcome is not None else {}
    return Named(namespace, name, digest, _whole(told.get("rows")), _whole(told.get("bytes")))


def model(work: Work, version: str) -> Named:
    """A registered version, at the registry's address without any credentials."""
    parts = urlsplit(work.registry or work.settings.mlflow)
    place = parts.netloc.rpartition("@")[2] if parts.scheme.startswith("http") else ""
    return Named(f"mlflow://{place}", f"models/{work.order.pipeline.name}", version)


def _before_glob(path: str) -> str:
    """The folder that a glob looks into."""
    for at, letter in enumerate(path):
        if letter in "*?[":
            return path[:at].rpartition("/")[0] or "/"
    return path


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
