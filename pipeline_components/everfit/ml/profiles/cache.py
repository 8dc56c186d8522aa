"""Statistics of spans by way of the store: no span is read twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from everfit.contracts.base import Digest, Frozen, canonical_json, digest_of
from everfit.contracts.errors import IntegrityError
from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.spans import Span
from everfit.contracts.messages.statistics import SpanStatistics
from everfit.engine.context import Context
from everfit.engine.fingerprints import value_digest
from everfit.storage.kept import keep, recall
from everfit.storage.store import blob_key

if TYPE_CHECKING:
    from everfit.ml.profiles.span_statistics import Tapping

Value = TypeVar("Value", bound=Frozen)


def statistics_of_spans(
    context: Context, spans: Sequence[Span], tapping: Callable[[Span], Tapping] | None = None
) -> tuple[tuple[SpanStatistics, ...], tuple[Artifact, ...]]:
    """Statistics of each span, read from the store where they are known.

    Parameters
    ----------
    context : Context
    spans : sequence of Span
    tapping : callable, optional
        Span → what is to see the hashes of its values, should it be read.

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
        found.append(
            _statistics_of_span(context, span, tapping(span) if tapping else None, done, total)
        )
        done += span.rows
        context.progress.update("statistics", done, total)
    return tuple(value for value, _ in found), tuple(artifact for _, artifact in found)


def _statistics_of_span(
    context: Context, span: Span, tapping: Tapping | None, before: int, total: int
) -> tuple[SpanStatistics, Artifact]:
    key = digest_of(
        {
            "span": span.digest,
            "period": [span.period_start, span.period_end],
            "code": value_digest("span_statistics"),
        }
    )
    known = known_value(context, "statistics", key, SpanStatistics)
    if known is not None:
        return known
    from everfit.ml.profiles.span_statistics import profile_parquet

    path = context.store.local(span.digest, context.scratch)
    try:
        value = profile_parquet(
            path,
            span.digest,
            (span.period_start, span.period_end),
            lambda done, _: context.progress.update("statistics", before + done, total),
            tapping,
        )
    finally:
        remove_copy(path, context)
    return value, keep_value(context, "statistics", key, "statistics.json", value)


def known_value(
    context: Context, made: str, key: Digest, kind: type[Value]
) -> tuple[Value, Artifact] | None:
    """The value kept under a content key.

    Parameters
    ----------
    context : Context
    made : str
        What kind of value it is.
    key : str
    kind : type
        The model it is an instance of.

    Returns
    -------
    value, artifact : tuple, or None
        None where nothing is kept, or its bytes are lost.
    """
    document = recall(made, key, context).document
    if document is None:
        return None
    artifact = Artifact.model_validate_json(document)
    try:
        return kind.model_validate_json(context.store.get(artifact.digest)), artifact
    except IntegrityError as error:
        if error.code == "STORE-ALTERED":
            context.store.set_aside(blob_key(artifact.digest))
        return None


def keep_value(context: Context, made: str, key: Digest, name: str, value: Frozen) -> Artifact:
    """Store a value, then, in one atomic step, the key that leads to it.

    Parameters
    ----------
    context : Context
    made : str
        What kind of value it is.
    key : str
    name : str
        File name of the artifact.
    value : Frozen

    Returns
    -------
    Artifact
    """
    artifact = context.store.put(name, canonical_json(value))
    document = canonical_json(artifact)
    kept = keep(made, key, document, context)
    return artifact if kept == document else Artifact.model_validate_json(kept)


def remove_copy(path: Path, context: Context) -> None:
    """Remove a copy fetched into the scratch folder: only one is there at a time."""
    if path.is_relative_to(context.scratch):
        path.unlink(missing_ok=True)
