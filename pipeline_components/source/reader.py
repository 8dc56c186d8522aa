"""The identity of how a span is read: same reader, same fingerprint, nothing to read again."""

from __future__ import annotations

from pipeline_components.contracts.base import Digest, digest_of
from pipeline_components.contracts.spec import SourceSpec
from pipeline_components.contracts.table_schema import TableSchema

READER_VERSION = 1
"""Raised whenever the reading code would make other Parquet of the same bytes."""

_ARRIVAL = {"period", "settle", "complete", "queue"}
"""What says when and in which order spans count, and nothing about how one is read."""


def reader_digest(source: SourceSpec, curated: TableSchema | None, time: str | None) -> Digest:
    """sha-256 of everything in a spec that shapes a snapshot; what the ledger files spans under."""
    return digest_of(
        {
            "version": READER_VERSION,
            "source": source.model_dump(mode="json", exclude=_ARRIVAL),
            "types": schema_types(curated),
            "time": time,
        }
    )


def conversion_digest(
    raw: Digest, kind: str, source: SourceSpec, curated: TableSchema | None, time: str | None
) -> Digest:
    """Content key of a snapshot: the raw bytes and how they are read, not where they were found.

    Parameters
    ----------
    raw : Digest
        sha-256 of the file as it was, or of the rows a query gave.
    kind : str
        ``csv``, ``csv.gz``, ``parquet`` or ``sql``.
    """
    return digest_of(
        {
            "version": READER_VERSION,
            "raw": raw,
            "kind": kind,
            "csv": source.csv.model_dump(mode="json") if kind.startswith("csv") else None,
            "columns": list(source.columns) if source.columns is not None else None,
            "where": source.where,
            "types": schema_types(curated),
            "time": time,
        }
    )


def schema_types(curated: TableSchema | None) -> dict[str, str]:
    """Column → type that the curated schema asks for."""
    return {name: column.type for name, column in curated.columns.items()} if curated else {}
