"""Spans, and which of them train and which judge: the one rule plan and validate both apply."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import Field

from everfit.contracts.base import Digest, Frozen
from everfit.contracts.messages.readings import BrokenRule, ColumnReading
from everfit.contracts.spec.pipeline import HoldoutSpec, WindowSpec


class SpanPart(Frozen):
    """A file of a span that is more than one."""

    name: str
    fingerprint: str
    location: str
    size: int | None = None


class SpanRef(Frozen):
    """A span as the source lists it, before it is read."""

    name: str
    """Stable on every machine: a file's path below the glob's fixed part, or a query window."""
    fingerprint: str
    """Cheap evidence of content (size and time, etag, version-id, window bounds)."""
    location: str
    """Where to read it: a path or URI without credentials."""
    size: int | None = Field(None, description="bytes, where the source knows")
    period_start: str | None = Field(None, description="ISO time, where the source names a period")
    period_end: str | None = Field(None, description="ISO time, exclusive")
    parts: tuple[SpanPart, ...] = Field(
        (),
        exclude_if=lambda parts: not parts,
        description="its files, where it is a folder, a period or a data set of several",
    )


class Span(Frozen):
    """A span once snapshotted. ``digest`` is its identity."""

    name: str
    digest: Digest
    rows: int
    size: int
    time_min: str | None = None
    time_max: str | None = None
    period_start: str | None = None
    period_end: str | None = None


class Snapshot(Frozen):
    """A span with where it came from; kept in the ledger and the lineage, in no key."""

    span: Span
    fingerprint: str
    provenance: dict[str, Any]
    """uri, etag or query, raw sha-256, reader options; no credentials."""
    notes: tuple[str, ...] = ()
    """What was found in the file and what of it was left out, a phrase each."""
    unread: tuple[str, ...] = ()
    """Dropped columns that are there, of a type that cannot be read."""
    readings: tuple[ColumnReading, ...] = Field(
        (), description="columns that were retyped, unreadable in part, or are in doubt"
    )
    rules: tuple[BrokenRule, ...] = Field((), description="that do not hold for all rows")


class Refusal(Frozen):
    """A span that could not be snapshotted, and why; nothing of it was kept."""

    name: str
    fingerprint: str
    code: str
    message: str
    retry: bool
    """True where the next look may succeed (still growing), so it is not remembered as broken."""


AnySpan = TypeVar("AnySpan", SpanRef, Span)


def choose(
    spans: Sequence[AnySpan], window: WindowSpec, holdout: HoldoutSpec
) -> tuple[tuple[AnySpan, ...], tuple[AnySpan, ...]]:
    """Name the spans to train on and the spans to judge on.

    Parameters
    ----------
    spans : sequence
        In the source's order, oldest first.

    Returns
    -------
    window, holdout : tuple
        Disjoint. After ``skip_recent`` spans are left out at the new end, the newest
        ``holdout.spans`` judge and up to ``window.spans`` before them train. With a row-wise
        holdout every span of the window trains and the holdout is empty: rows are divided later.
        Both empty where fewer than ``min_spans`` could train.
    """
    usable = list(spans[: max(len(spans) - window.skip_recent, 0)])
    judged = holdout.spans or 0
    split = len(usable) - judged
    if split < max(window.min_spans, 1):
        return (), ()
    train = usable[:split]
    if window.spans != "all":
        train = train[-window.spans :]
    return tuple(train), tuple(usable[split:])
