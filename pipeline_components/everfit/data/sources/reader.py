"""The identity of how a span is read: same reader, same fingerprint, nothing to read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from everfit.contracts.base import Digest, digest_of
from everfit.contracts.spec.joined import JoinSpec
from everfit.contracts.spec.labels import LabelsSpec
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.spec.row_rules import RuleAction
from everfit.contracts.spec.source import SourceSpec
from everfit.contracts.spec.table_schema import ColumnType, TableSchema

READER_VERSION = 2
"""Raised whenever the reading code would make other Parquet of the same bytes."""

_ARRIVAL = {"period", "span", "settle", "complete", "queue", "late"}
"""What says when and in which order spans count, and nothing about how one is read."""


_TEXTS = ("csv", "jsonl")


def reader_digest(
    source: SourceSpec,
    curated: TableSchema | None,
    time: str | None,
    dropped: Sequence[str] = (),
    rules: Mapping[str, RuleAction] | None = None,
    join: Sequence[JoinSpec] = (),
    labels: LabelsSpec | None = None,
    row_by_row: bool = False,
) -> Digest:
    """sha-256 of everything in a spec that shapes a snapshot; what the ledger files spans under.

    Parameters
    ----------
    source : SourceSpec
    curated : TableSchema or None
    time : str or None
    dropped : sequence of str
        ``features.drop``.
    rules : mapping, optional
        ``validation.rows``.
    join : sequence of JoinSpec
    labels : LabelsSpec, optional
    row_by_row : bool
        As ``ExtractRequest.row_by_row``.
    """
    return digest_of(
        {
            **({"rules": dict(rules)} if rules else {}),
            **({"join": [_table(one) for one in join]} if join else {}),
            **({"labels": [_table(labels), row_by_row]} if labels else {}),
            "version": READER_VERSION,
            "source": source.model_dump(mode="json", exclude=_ARRIVAL),
            "types": schema_types(curated),
            "time": time,
            "dropped": sorted(dropped),
        }
    )


def reader_of(spec: PipelineSpec) -> Digest:
    """The same of a pipeline's own spans."""
    return reader_digest(
        spec.source,
        spec.curated,
        spec.time,
        spec.features.drop,
        spec.validation.rows,
        join=spec.join,
        labels=spec.labels,
        row_by_row=spec.labels is not None and spec.holdout.spans is None,
    )


def _table(join: JoinSpec | LabelsSpec) -> dict[str, Any]:
    return join.model_dump(mode="json", exclude={"source": _ARRIVAL})


@dataclass(frozen=True)
class Reading:
    """What a spec says of how columns are read; what it does not say is found in the values."""

    types: Mapping[str, ColumnType] = field(default_factory=dict)
    times: Mapping[str, str] = field(default_factory=dict)
    """Column → format of its times."""
    timezone: str | None = None
    """Zone of times that are written without one."""


def reading_of(source: SourceSpec, curated: TableSchema | None) -> Reading:
    """How the columns of a source are read; what the source says comes before the schema."""
    return Reading(
        types={**schema_types(curated), **source.types},
        times=dict(source.times),
        timezone=source.timezone,
    )


def conversion_digest(
    raw: Digest,
    kind: str,
    source: SourceSpec,
    curated: TableSchema | None,
    time: str | None,
    *,
    dropped: Sequence[str] = (),
    rules: Mapping[str, RuleAction] | None = None,
    partitions: Mapping[str, str | None] | None = None,
) -> Digest:
    """Content key of a snapshot: the raw bytes and how they are read, not where they were found.

    Parameters
    ----------
    raw : Digest
        sha-256 of the file as it was, or of the rows a query gave.
    kind : str
        ``csv``, ``csv.gz``, ``parquet`` or ``sql``, say.
    dropped : sequence of str
        ``features.drop``: such a column is left out where its type cannot be read.
    rules : mapping, optional
        Rules for rows: an expression that must hold → what follows.
    partitions : mapping, optional
        Columns that the file's folders say, with their value.
    """
    return digest_of(
        {
            **({"rules": dict(rules)} if rules else {}),
            "version": READER_VERSION,
            "raw": raw,
            "kind": kind,
            "csv": source.csv.model_dump(mode="json") if kind.startswith(_TEXTS) else None,
            "sheet": source.sheet,
            "partitions": dict(partitions or {}),
            "dropped": sorted(dropped),
            "columns": list(source.columns) if source.columns is not None else None,
            "where": source.where,
            "types": {**schema_types(curated), **source.types},
            "times": dict(sorted(source.times.items())),
            "timezone": source.timezone,
            "time": time,
        }
    )


def schema_types(curated: TableSchema | None) -> dict[str, ColumnType]:
    """Column → type that the curated schema asks for."""
    return {name: column.type for name, column in curated.columns.items()} if curated else {}
