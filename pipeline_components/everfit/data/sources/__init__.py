"""Sources: listing spans cheaply, and bringing their bytes or rows here.

Only the module of a source's own kind is imported, and listing local files imports the standard
library only, so that a plan with nothing to do costs next to nothing.
"""

from __future__ import annotations

from everfit.contracts.settings import Settings
from everfit.contracts.spec.source import SourceSpec
from everfit.data.sources.data_folder import with_data
from everfit.data.sources.refused import SpanRefused
from everfit.data.sources.registry import source_type, source_types
from everfit.data.sources.source import Fetched, Listing, Source, SourceOfFiles, SourceOfRows

__all__ = [
    "Fetched",
    "Listing",
    "Source",
    "SourceOfFiles",
    "SourceOfRows",
    "SpanRefused",
    "list_spans",
    "open_source",
    "source_type",
    "source_types",
]


def open_source(source: SourceSpec, settings: Settings) -> Source:
    """The source that a spec names.

    Raises
    ------
    SourceError
        If there is no source type of its kind, or it cannot be where the spec says.
    """
    source = with_data(source, settings)
    return source_type(source.kind)(source, settings)


def list_spans(source: SourceSpec, settings: Settings) -> Listing:
    """The spans of any source, oldest first."""
    return open_source(source, settings).list()
