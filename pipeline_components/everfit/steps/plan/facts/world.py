"""What plan compares, and which of the listed spans are good."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from everfit.contracts.base import Digest
from everfit.contracts.messages.joined import Labelled, waits_for
from everfit.contracts.messages.planning import ChampionRef
from everfit.contracts.messages.spans import Snapshot, Span, SpanRef
from everfit.data.sources import Listing
from everfit.steps.plan.facts.past_runs import PastRun
from everfit.storage.ledger.records import SpanRecord


@dataclass(frozen=True)
class World:
    """What plan compares: the source, the ledger, and the code and environment of today."""

    listing: Listing
    records: Sequence[SpanRecord]
    """The spans read or refused before by the reader of today."""
    quarantined: Mapping[Digest, tuple[str, ...]]
    champion: ChampionRef | None
    find_run: Callable[[Digest], PastRun | None]
    code: Digest
    environment: Digest
    by_name: tuple[str, ...] = ()
    """The listed spans as their names order them, where the listing is in the order of rows."""
    own_checks: dict[str, Digest] = field(default_factory=dict)
    """Import path of a check of the user's → digest of its code."""


@dataclass(frozen=True)
class SortedSpans:
    """The listed spans, good and bad; both lists in the source's order."""

    known: dict[tuple[str, str], Span]
    """Name and fingerprint → the span, where it was read before."""
    good: list[SpanRef]
    bad: list[SpanRef]
    notes: tuple[str, ...]
    """A sentence for every span left out."""
    refusals: Mapping[str, str]
    """Name of a span that was refused or quarantined → the codes of it."""
    waiting: tuple[str, ...] = ()
    """Names of spans whose labels are not due; in neither list."""

    def span(self, ref: SpanRef) -> Span | None:
        """The span, where it was read before."""
        return self.known.get((ref.name, ref.fingerprint))


def sort_spans(world: World) -> SortedSpans:
    """Separate good spans from those refused, in quarantine or copies of another."""
    known: dict[tuple[str, str], Span] = {}
    refused: dict[tuple[str, str], SpanRecord] = {}
    immature: dict[tuple[str, str], Labelled] = {}
    for record in world.records:
        if record.snapshot is not None:
            snapshot = Snapshot.model_validate(record.snapshot)
            known[record.name, record.fingerprint] = snapshot.span
            if snapshot.labels is not None and not snapshot.labels.mature:
                immature[record.name, record.fingerprint] = snapshot.labels
        else:
            refused[record.name, record.fingerprint] = record
    notes = list(world.listing.notes)
    waiting: list[str] = []
    good: list[SpanRef] = []
    bad: list[SpanRef] = []
    held: dict[Digest, str] = {}
    refusals: dict[str, str] = {}
    for ref in world.listing.spans:
        key = (ref.name, ref.fingerprint)
        span = known.get(key)
        why = ""
        if span is None and key in refused:
            why = f"refused earlier ({refused[key].code or 'refused'})"
            refusals[ref.name] = refused[key].code or "refused"
        elif span is not None and span.digest in world.quarantined:
            codes = ", ".join(world.quarantined[span.digest])
            why = f"in quarantine since it was validated ({codes})"
            refusals[ref.name] = codes
        elif span is not None and span.digest in held:
            why = f"it is a copy of {held[span.digest]}"
        elif span is not None:
            held[span.digest] = ref.name
        if not why and key in immature:
            waiting.append(ref.name)
            notes.append(f"{ref.name} waits for its labels: {waits_for(immature[key])}")
        elif why:
            notes.append(f"{ref.name} is left out: {why}")
            bad.append(ref)
        else:
            good.append(ref)
    return SortedSpans(known, good, bad, tuple(notes), refusals, tuple(waiting))
