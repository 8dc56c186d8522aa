"""Data sets as OpenLineage names them: what a task read, and what it wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from everfit.contracts.messages.steps import (
    Component,
    Order,
    Outcome,
    SummaryT,
    find_summary,
    read_outcome,
)
from everfit.contracts.messages.summaries import (
    EvaluateSummary,
    ExtractSummary,
    RegisterSummary,
    ScoreSummary,
    TrainSummary,
)
from everfit.contracts.runners import needs
from everfit.contracts.settings import Settings
from everfit.contracts.spec.score import database_in
from everfit.contracts.spec.source import AddressedSource, SourceSpec


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

    def summary(self, kind: type[SummaryT]) -> SummaryT | None:
        """The summary of a step that was read, or of this one; None where there is none."""
        return find_summary(self._outcomes(), kind)

    def _outcomes(self) -> Iterator[Outcome]:
        for left in (value for values in self.upstream.values() for value in values):
            if isinstance(outcome := read_outcome(left), Outcome):
                yield outcome
        if self.outcome is not None:
            yield self.outcome


class Named(NamedTuple):
    """A data set as OpenLineage names it."""

    namespace: str
    name: str
    version: str = ""
    rows: int | None = None
    size: int | None = None


def read_by(work: Work) -> list[Named]:
    """The source, and the results of the components before."""
    order = work.order
    found = [source(work), *tables(work)] if "source" in needs(order.component) else []
    for component, digests in order.upstream.items():
        found += [result(work, component, digest) for digest in digests]
    return found


def written_by(work: Work) -> list[Named]:
    """Its own result, and the versions that were registered or the predictions that were made."""
    outcome, component = work.outcome, work.order.component
    if outcome is None:
        return []
    made = result(work, component, outcome.result, outcome)
    summary = outcome.summary
    if isinstance(summary, RegisterSummary) and summary.version is not None:
        numbers = [one for one in (summary.version, summary.refit) if one is not None]
        return [made, *(model(work, str(number)) for number in numbers)]
    if isinstance(summary, ScoreSummary):
        return [made, data_set_at(work, summary.output)._replace(rows=summary.rows)]
    return [made]


def source(work: Work) -> Named:
    """The table: the folder or the prefix of its files, or the connection that is asked."""
    order = work.order
    if order.component == "score" and order.scored_input is not None:
        return data_set_at(work, order.scored_input)
    return _data_set_of(work, order.pipeline.source)


def tables(work: Work) -> list[Named]:
    """The tables that are joined to it; a batch scoring is given rows that have their columns."""
    if work.order.component == "score":
        return []
    return [_data_set_of(work, one) for one in work.order.pipeline.sources[1:]]


def _data_set_of(work: Work, source: SourceSpec) -> Named:
    if not isinstance(source, AddressedSource):
        return Named(f"connection://{source.connection}", work.order.pipeline.name)
    return data_set_at(work, source.uri)


def data_set_at(work: Work, address: str) -> Named:
    """What an address names: a folder, a prefix, or a table of a connection."""
    if (table := database_in(address)) is not None:
        return Named(f"connection://{table[0]}", table[1])
    uri = address.replace("{data}", str(work.settings.data))
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
    summary = outcome.summary if outcome is not None else None
    match summary:
        case ExtractSummary():
            return Named(namespace, name, digest, summary.rows, summary.bytes)
        case TrainSummary() | EvaluateSummary():
            return Named(namespace, name, digest, summary.rows)
    return Named(namespace, name, digest)


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
