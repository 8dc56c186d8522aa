"""A pipeline's spans and the tables that are joined to them, listed together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from everfit.contracts.base import digest_of
from everfit.contracts.errors import SourceError
from everfit.contracts.messages.spans import SpanRef
from everfit.contracts.settings import Settings
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.data.sources import list_spans
from everfit.data.sources.source import Listing


@dataclass(frozen=True)
class Listed:
    """What there is to read."""

    listing: Listing
    tables: dict[str, tuple[SpanRef, ...]] = field(default_factory=dict)
    """Table that is joined → its spans, oldest first."""


LABELS = "labels"
"""The name of the table that holds the labels."""


def table_name(number: int) -> str:
    """The name of a table that is joined: its place in the spec."""
    return f"join.{number}"


def list_with_tables(
    spec: PipelineSpec,
    settings: Settings,
    visible: Callable[[Listing], Listing] = lambda listing: listing,
) -> Listed:
    """List a pipeline's source and the tables beside it.

    A span that tables are joined to is what it is by them, too: where one of them changes, so does
    its fingerprint, and it is read anew. Its digest changes only where what is joined to it does.

    Parameters
    ----------
    spec : PipelineSpec
    settings : Settings
    visible : callable
        What of the listing there is.

    Raises
    ------
    SourceError
        If a table has no span.
    """
    listing = list_spans(spec.source, settings)
    tables: dict[str, tuple[SpanRef, ...]] = {}
    notes = list(listing.notes)
    for number, join in enumerate(spec.join):
        name = table_name(number)
        found = list_spans(join.source, settings)
        if not found.spans:
            raise SourceError(
                "JOIN-EMPTY",
                f"{name} ({join.source.address})",
                "a table that is joined must be there",
                found.empty or "it is empty",
                f"Correct {name}.source, or wait for the table",
            )
        tables[name] = found.spans
        notes += [f"{name}: {note}" for note in found.notes]
    if spec.labels is not None:  # none yet is no mistake: they come later
        found = list_spans(spec.labels.source, settings)
        tables[LABELS] = found.spans
        notes += [f"{LABELS}: {note}" for note in (*found.notes, found.empty) if note]
    if not tables:
        return Listed(visible(listing))
    state = digest_of(
        {name: [[ref.name, ref.fingerprint] for ref in refs] for name, refs in tables.items()}
    )[:16]
    spans = tuple(
        ref.model_copy(
            update={"fingerprint": f"{ref.fingerprint} with={state}", "own": ref.fingerprint}
        )
        for ref in listing.spans
    )
    return Listed(visible(replace(listing, spans=spans, notes=tuple(notes))), tables)
