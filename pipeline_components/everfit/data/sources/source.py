"""What a source type offers: a cheap list of spans, and the content of one.

A source type is one module of this package, found by the registry through the ``kind`` of its
class. Its spans are files or objects (``SourceOfFiles``), or rows a query gives (``SourceOfRows``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from everfit.contracts.messages.spans import SpanRef
from everfit.contracts.settings import Settings
from everfit.contracts.spec.source import SourceSpec


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


@dataclass(frozen=True)
class Fetching:
    """The rows of a span as they come, while the connection is open."""

    columns: list[str]
    batches: Iterator[list[Any]]
    """Lists of rows, each a sequence of values in the order of ``columns``."""
    listed: int
    """Rows the span held when it was listed."""
    same: Callable[[], bool]
    """Call after the last batch: whether the span is still what was listed."""
    origin: dict[str, Any] = field(default_factory=dict)
    """Provenance; no credentials."""
    texts_may_be_times: bool = False
    """Whether the source keeps times as text."""


class Source(ABC):
    """A source of a kind.

    Parameters
    ----------
    source : SourceSpec
        As the spec says it; of the subclass's kind.
    settings : Settings
    """

    kind: ClassVar[str]
    """Of ``source.kind``: the scheme of the address, or what an author writes as kind."""

    def __init__(self, source: SourceSpec, settings: Settings) -> None:
        self.spec, self.settings = source, settings

    @abstractmethod
    def list(self) -> Listing:
        """Name the spans, without reading them.

        Raises
        ------
        SourceError, CredentialsError
            If the source is not there or may not be read.
        Unavailable
            If the service does not answer.
        """


class SourceOfFiles(Source):
    """Its spans are files or objects."""

    @abstractmethod
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


class SourceOfRows(Source):
    """Its spans are rows that somebody must ask for."""

    @abstractmethod
    def fetch_rows(self, ref: SpanRef) -> AbstractContextManager[Fetching]:
        """Open the rows of one span."""
