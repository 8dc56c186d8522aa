"""Statistics of spans by way of the store: no span is read twice."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar

from pipeline_components.context import Context
from pipeline_components.contracts.artifacts import Artifact
from pipeline_components.contracts.base import Digest, Frozen, canonical_json, digest_of
from pipeline_components.contracts.spans import Span
from pipeline_components.contracts.statistics import SpanStatistics
from pipeline_components.identity import environment
from pipeline_components.store import result_key

STATISTICS_CODE = (
    "statistics/bins.py", "statistics/column_profile.py", "statistics/hashing.py",
    "statistics/span_statistics.py", "contracts/statistics.py",
)  # fmt: skip

Value = TypeVar("Value", bound=Frozen)


def statistics_of_spans(
    context: Context, spans: Sequence[Span]
) -> tuple[tuple[SpanStatistics, ...], tuple[Artifact, ...]]:
    """Statistics of each span, read from the store where they are known.

    Returns
    -------
    statistics : tuple of SpanStatistics
    artifacts : tuple of Artifact
        Where each is stored, as canonical JSON.
    """
    total = max(sum(span.rows for span in spans), 1)
    done = 0
    found = []
    for span in spans:
        found.append(_statistics_of_span(context, span, done, total))
        done += span.rows
        context.progress.update("statistics", done, total)
    return tuple(value for value, _ in found), tuple(artifact for _, artifact in found)


def _statistics_of_span(
    context: Context, span: Span, before: int, total: int
) -> tuple[SpanStatistics, Artifact]:
    where = result_key(
        "statistics",
        digest_of(
            {
                "span": span.digest,
                "period": [span.period_start, span.period_end],
                "code": code_of(STATISTICS_CODE),
            }
        ),
    )
    known = known_value(context, where, SpanStatistics)
    if known is not None:
        return known
    from pipeline_components.statistics.span_statistics import profile_parquet

    path = context.store.local(span.digest, context.scratch)
    try:
        value = profile_parquet(
            path, span.digest, (span.period_start, span.period_end),
            lambda done, _: context.progress.update("statistics", before + done, total),
        )  # fmt: skip
    finally:
        let_go(path, context)
    return value, keep_value(context, where, "statistics.json", value)


def known_value(context: Context, where: str, kind: type[Value]) -> tuple[Value, Artifact] | None:
    """What is stored under a result key, and where; None where nothing is."""
    document = context.store.reuse(where)
    if document is None:
        return None
    artifact = Artifact.model_validate_json(document)
    return kind.model_validate_json(context.store.get(artifact.digest)), artifact


def keep_value(context: Context, where: str, name: str, value: Frozen) -> Artifact:
    """Store the value, then, in one atomic step, the key that leads to it."""
    artifact = context.store.put(name, canonical_json(value))
    context.store.create(where, canonical_json(artifact))
    return artifact


def let_go(path: Path, context: Context) -> None:
    """Remove a copy fetched into the scratch folder, so that only one is there at a time."""
    if path.is_relative_to(context.scratch):
        path.unlink(missing_ok=True)


@cache
def code_of(files: tuple[str, ...]) -> Digest:
    """Digest of source files below the package, and of what computes the numbers."""
    here = Path(__file__).parent.parent
    total = hashlib.sha256()
    for name in files:
        total.update(name.encode() + b"\0")
        total.update(hashlib.sha256((here / name).read_bytes()).digest())
    versions = {name: environment()[name] for name in ("numpy", "pandas", "pyarrow")}
    total.update(canonical_json(versions))
    return total.hexdigest()
