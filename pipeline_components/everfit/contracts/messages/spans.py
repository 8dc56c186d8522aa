"""Spans, and which of them train and which judge: the one rule plan and validate both apply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeVar

from pydantic import Field

from everfit.contracts.base import Digest, Frozen
from everfit.contracts.messages.joined import Joined, Labelled
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
    own: str | None = Field(
        None,
        exclude_if=lambda own: own is None,
        description="the fingerprint as the source lists it, where tables are joined: "
        "``fingerprint`` is then of both",
    )
    parts: tuple[SpanPart, ...] = Field(
        (),
        exclude_if=lambda parts: not parts,
        description="its files, where it is a folder, a period or a data set of several",
    )

    @property
    def apart(self) -> SpanRef:
        """The span as the source lists it, without the tables that are joined to it."""
        if self.own is None:
            return self
        return self.model_copy(update={"fingerprint": self.own, "own": None})


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


class RowTimes(Frozen):
    """When the rows of a span are, by the pipeline's ``time``; a few wrong times move nothing."""

    begin: str = Field(description="ISO time of the first quartile")
    end: str = Field(description="ISO time of the third quartile")
    ahead: int = Field(0, description="rows dated years after all others: no time of theirs counts")
    furthest: str | None = Field(None, description="the latest time of these")


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
    times: RowTimes | None = Field(None, description="None: there is no time, or it is a number")
    joined: tuple[Joined, ...] = Field(
        (), exclude_if=lambda joined: not joined, description="tables joined, counted"
    )
    labels: Labelled | None = Field(
        None, exclude_if=lambda labels: labels is None, description="labels joined, counted"
    )


class Refusal(Frozen):
    """A span that could not be snapshotted, and why; nothing of it was kept."""

    name: str
    fingerprint: str
    code: str
    message: str
    retry: bool
    """True where the next look may succeed (still growing), so it is not remembered as broken."""


AnySpan = TypeVar("AnySpan", SpanRef, Span)


def by_rows(spans: Sequence[AnySpan], times: Mapping[str, RowTimes]) -> tuple[AnySpan, ...]:
    """Spans in the order of their rows, where their names say another.

    Parameters
    ----------
    spans : sequence
        In the order of their names or periods.
    times : mapping
        Span → when its rows are, as far as it is known.

    Returns
    -------
    tuple
        As they were where the source names periods, or where the middle halves of two spans' rows
        overlap, so that rows say no order. Spans of which nothing is known stay behind the others.

    Examples
    --------
    >>> apr = SpanRef(name="apr.csv", fingerprint="1", location="apr.csv")
    >>> jan = SpanRef(name="jan.csv", fingerprint="2", location="jan.csv")
    >>> times = {"apr.csv": RowTimes(begin="2024-04-08", end="2024-04-23"),
    ...          "jan.csv": RowTimes(begin="2024-01-08", end="2024-01-23")}
    >>> [span.name for span in by_rows([apr, jan], times)]
    ['jan.csv', 'apr.csv']
    """
    dated: list[AnySpan] = [span for span in spans if span.name in times]
    ordered: list[AnySpan] = sorted(dated, key=lambda span: times[span.name].begin)
    asunder = all(
        times[one.name].end <= times[next_.name].begin or times[one.name] == times[next_.name]
        for one, next_ in pairwise(ordered)
    )
    if any(span.period_start for span in spans) or not asunder or ordered == dated:
        return tuple(spans)
    unknown: list[AnySpan] = [span for span in spans if span.name not in times]
    return tuple(ordered + unknown)


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
