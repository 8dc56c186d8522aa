"""Sources: listing spans cheaply, and bringing their bytes or rows here.

Listing local files imports the standard library only, so that a plan with nothing to do costs
next to nothing; what talks to S3 or SQL is imported where it is used.
"""

from __future__ import annotations

from pipeline_components.contracts.settings import Settings
from pipeline_components.contracts.spec import SourceSpec

from .data_folder import with_data
from .listing import Fetched, Listing, Source
from .refused import SpanRefused

__all__ = ["Fetched", "Listing", "Source", "SpanRefused", "list_spans", "open_source"]


def open_source(source: SourceSpec, settings: Settings) -> Source:
    """The source of files or objects that a spec names (not SQL, whose spans are rows)."""
    source = with_data(source, settings)
    if source.uri.startswith("s3://"):
        from .s3 import S3Source

        return S3Source(source)
    if source.uri.startswith(("https://", "http://")):
        from .https import HttpsSource

        return HttpsSource(source)
    from .files import FileSource

    return FileSource(source, settings)


def list_spans(source: SourceSpec, settings: Settings) -> Listing:
    """The spans of any source, oldest first."""
    if source.is_sql:
        from .sql import list_windows

        return list_windows(source)
    return open_source(source, settings).list()
