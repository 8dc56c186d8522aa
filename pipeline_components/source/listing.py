"""What every kind of source offers: a cheap list of spans, and the bytes of one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pipeline_components.contracts.errors import SourceError
from pipeline_components.contracts.spans import SpanRef

from .periods import period_of

SUFFIXES = (".csv", ".csv.gz", ".parquet", ".pq")
"""What ``format: auto`` reads."""

UNFINISHED = (".tmp", ".temp", ".part", ".partial", ".crdownload", ".swp", "~")
"""Endings of names that writers use before a file is whole."""


@dataclass(frozen=True)
class Listing:
    """Spans of a source, oldest first, and what was passed over."""

    spans: tuple[SpanRef, ...]
    notes: tuple[str, ...] = ()
    """One sentence per name that looks like a span and is none, or not yet."""
    empty: str = ""
    """Where there are no spans: a sentence on what was looked for and what is there instead."""


@dataclass(frozen=True)
class Fetched:
    """The bytes of a span as a local file, while ``recheck`` passes."""

    path: Path
    origin: dict[str, Any] = field(default_factory=dict)
    """Provenance: uri, etag, version; no credentials."""
    recheck: Callable[[], None] = lambda: None
    """Call after reading; raises ``SpanRefused`` where the source changed meanwhile."""
    share: float = 0.0
    """About how much of the span's work bringing it here was, for the progress shown."""


class Source(Protocol):
    """A source of spans that are files or objects."""

    def list(self) -> Listing:
        """Name the spans, without reading them."""

    def fetch(self, ref: SpanRef, scratch: Path, progress: Callable[[float], None]) -> Fetched:
        """Bring the bytes of one span here, telling the share that has come.

        Raises
        ------
        SpanRefused
            If the span is gone, still growing or not what was listed.
        SourceError, CredentialsError
            If it may not be read.
        Unavailable
            If the service does not answer.
        """


def is_candidate(name: str) -> bool:
    """Whether a name below the source's fixed part could be a span: not hidden, not unfinished."""
    hidden = any(part.startswith((".", "_")) for part in name.split("/"))
    return not hidden and not name.lower().endswith(UNFINISHED)


def has_known_suffix(name: str) -> bool:
    """Whether ``format: auto`` knows what is inside."""
    return name.lower().endswith(SUFFIXES)


def natural(name: str) -> list[Any]:
    """Sorting key in which ``part-9`` comes before ``part-10``."""
    pieces: list[Any] = re.split(r"(\d+)", name)
    pieces[1::2] = [(int(piece), piece) for piece in pieces[1::2]]
    return pieces


def order(spans: Iterable[SpanRef], pattern: str | None, where: str) -> Listing:
    """Put spans in the source's order: by period where a pattern is given, else by name.

    Raises
    ------
    SourceError
        If the pattern is not one, or no name holds such a period.
    """
    by_name = sorted(spans, key=lambda ref: natural(ref.name))
    if pattern is None or not by_name:
        return Listing(tuple(by_name))
    dated, notes = [], []
    for ref in by_name:
        try:
            period = period_of(ref.name, pattern)
        except ValueError as error:
            raise SourceError(
                "SOURCE-PERIOD", "source.period", "a period is a strptime pattern", str(error),
                "Write it like %Y-%m",
            ) from None  # fmt: skip
        if period is None:
            notes.append(f"{ref.name} is left out: its name holds no period like {pattern}")
        else:
            start, end = (moment.isoformat() for moment in period)
            dated.append(ref.model_copy(update={"period_start": start, "period_end": end}))
    if not dated:
        raise SourceError(
            "SOURCE-PERIOD",
            where,
            f"file names must hold a period like {pattern}",
            f"none of {len(by_name)} does, the first is {by_name[0].name!r}",
            "Correct source.period, or remove it to order spans by name",
        )
    dated.sort(key=lambda ref: ref.period_start or "")
    return Listing(tuple(dated), tuple(notes))
