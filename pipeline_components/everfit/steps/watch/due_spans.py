"""Which spans are to be read, and which the champion is to be evaluated on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from everfit.contracts.base import Digest
from everfit.contracts.clock import iso
from everfit.contracts.errors import shortlist
from everfit.contracts.messages.monitoring import WatchResult
from everfit.contracts.messages.monitoring_levels import DriftLevel
from everfit.contracts.messages.planning import ChampionRef
from everfit.contracts.messages.spans import Snapshot, Span, SpanRef, choose
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.data.sources import Listing
from everfit.data.sources.listing import natural
from everfit.data.sources.mature import reached
from everfit.ml.fleet_level import Elsewhere, drift_level, drift_levels
from everfit.ml.monitoring_key import evaluation_key, labels_due, logs_of
from everfit.storage.ledger.records import MonitorRecord, SpanRecord

AT_ONCE = 24
"""Spans read, and spans evaluated, in one poll, the newest first; the next poll takes the rest."""

PAST = 150
"""Older spans named, so that it is known how much spans differ normally."""

SHOWN = 60
"""Earlier evaluations named, for the picture over time."""

RECENT = 6
"""Spans evaluated again when new logged predictions have arrived."""


@dataclass(frozen=True)
class World:
    """What there is."""

    listing: Listing
    records: Sequence[SpanRecord]
    """Of every reader."""
    reader: Digest
    quarantined: frozenset[Digest]
    champion: ChampionRef | None
    monitored: Sequence[MonitorRecord]
    """Of this champion, in the order they were made."""
    now: datetime
    logs: Listing = field(default_factory=lambda: Listing(()))
    log_reader: Digest | None = None
    elsewhere: Elsewhere | None = None
    """What the other pipelines did, where one rate is kept over all of them."""


class DueSpans:
    """The spans that are due to be read and evaluated, as the world is now.

    Parameters
    ----------
    spec : PipelineSpec
    world : World
    """

    def __init__(self, spec: PipelineSpec, world: World) -> None:
        self.spec, self.world = spec, world
        self.notes = list(world.listing.notes)
        self.known = self._known(world.reader)
        self.good = self._good(world.listing.spans)

    def result(self) -> WatchResult:
        """What is to be done; ``spans``, ``evaluate`` and ``predictions`` empty: nothing."""
        unread = self._newest(self._unread(), "to be read")
        evaluate = self._newest(self._to_evaluate(), "to be evaluated")
        named = {ref.name for ref in (*unread, *evaluate)}
        return WatchResult(
            champion=self.world.champion,
            spans=tuple(ref for ref in self.good if ref.name in named),
            evaluate=tuple(ref.name for ref in evaluate),
            because=self._because(unread, evaluate),
            notes=tuple(self.notes),
            past=self._past(evaluate),
            predictions=self._readable_logs() if evaluate else (),
            earlier=self._earlier(evaluate),
            at=iso(self.world.now),
            tested=self._tested(evaluate),
        )

    def _known(self, reader: Digest | None) -> dict[tuple[str, str], SpanRecord]:
        return {
            (record.name, record.fingerprint): record
            for record in self.world.records
            if record.reader == reader
        }

    def _good(self, listed: Sequence[SpanRef]) -> list[SpanRef]:
        """Listed spans that are not refused, in quarantine or copies; in the source's order."""
        good: list[SpanRef] = []
        held: dict[Digest, str] = {}
        for ref in listed:
            record = self.known.get((ref.name, ref.fingerprint))
            if record is None:
                good.append(ref)
            elif record.digest is None:
                self.notes.append(f"{ref.name} is left out: refused earlier ({record.code})")
            elif record.digest in self.world.quarantined:
                self.notes.append(f"{ref.name} is left out: in quarantine since it was validated")
            elif record.digest in held:
                twin = held[record.digest]
                self.notes.append(f"{ref.name} is left out: it is a copy of {twin}")
            else:
                held[record.digest] = ref.name
                good.append(ref)
        return good

    @cached_property
    def newer(self) -> list[SpanRef]:
        """Good spans after the newest that the champion was trained or judged on."""
        champion = self.world.champion
        if champion is None:
            return []
        digests = {*champion.window, *champion.holdout}
        seen = [record for record in self.world.records if record.digest in digests]
        names = {record.name for record in seen}
        order = [ref.name for ref in self.world.listing.spans]
        last = max((place for place, name in enumerate(order) if name in names), default=None)
        if last is not None:
            after = set(order[last + 1 :])
            return [ref for ref in self.good if ref.name in after]
        # None of them is listed any more: go by what the listing is ordered by.
        newest = max((_place(span_of(record)) for record in seen), default=None)
        return [ref for ref in self.good if newest is None or _place(ref) > newest]

    def _unread(self) -> list[SpanRef]:
        if self.spec.labels is None:
            window, holdout = choose(self.good, self.spec.window, self.spec.holdout)
        else:
            records = ((name, of, one.snapshot) for (name, of), one in self.known.items())
            window, holdout = reached(self.spec, self.good, records).spans, ()
        wanted = {ref.name for ref in (*window, *holdout, *self.newer)}
        return [ref for ref in self.good if ref.name in wanted and self._span(ref) is None]

    def _to_evaluate(self) -> list[SpanRef]:
        answered = {(record.span, record.asked) for record in self.world.monitored}
        again = {ref.name for ref in self.newer[-RECENT:]} if self._new_logs else set()
        found = []
        for ref in self.newer:
            span = self._span(ref)
            if span is None or ref.name in again or (span.digest, self._asked(ref)) not in answered:
                found.append(ref)
        return found

    def _asked(self, ref: SpanRef) -> Digest:
        record = self.known[ref.name, ref.fingerprint]
        span = span_of(record).model_copy(
            update={"period_start": ref.period_start, "period_end": ref.period_end}
        )
        labelled = labels_due(self.spec, span, record.at, self.world.now)
        return evaluation_key(self.spec, labelled, logs_of(span, self._logs))

    @cached_property
    def _logs(self) -> list[Span]:
        """Logged predictions that were read and are still listed."""
        known = self._known(self.world.log_reader)
        found = (known.get((ref.name, ref.fingerprint)) for ref in self.world.logs.spans)
        return [span_of(record) for record in found if record and record.snapshot is not None]

    def _readable_logs(self) -> tuple[SpanRef, ...]:
        known = self._known(self.world.log_reader)
        records = ((ref, known.get((ref.name, ref.fingerprint))) for ref in self.world.logs.spans)
        return tuple(ref for ref, record in records if record is None or record.digest is not None)

    @cached_property
    def _new_logs(self) -> bool:
        known = self._known(self.world.log_reader)
        return any((ref.name, ref.fingerprint) not in known for ref in self.world.logs.spans)

    def _span(self, ref: SpanRef) -> Span | None:
        record = self.known.get((ref.name, ref.fingerprint))
        return span_of(record) if record and record.snapshot is not None else None

    def _newest(self, found: list[SpanRef], what: str) -> list[SpanRef]:
        if len(found) > AT_ONCE:
            self.notes.append(
                f"{len(found)} spans are {what}; the newest {AT_ONCE} now, the others after"
            )
        return found[-AT_ONCE:]

    def _past(self, evaluate: Sequence[SpanRef]) -> tuple[Digest, ...]:
        if not evaluate:
            return ()
        place = self.good.index(evaluate[0])
        spans = [self._span(ref) for ref in self.good[:place]]
        return tuple(span.digest for span in spans if span is not None)[-PAST:]

    def _earlier(self, evaluate: Sequence[SpanRef]) -> tuple[tuple[str, Digest], ...]:
        """Spans this champion was evaluated on, each with its newest result, in order."""
        if not evaluate:
            return ()
        newest = {record.name: record.document for record in self.world.monitored}
        order = {ref.name: place for place, ref in enumerate(self.world.listing.spans)}
        names = sorted(newest, key=lambda name: (order.get(name, -1), natural(name)))[-SHOWN:]
        return tuple((name, newest[name]) for name in names)

    def _tested(self, evaluate: Sequence[SpanRef]) -> dict[str, DriftLevel]:
        """What each span's drift is tested at, of one rate over all pipelines."""
        monitor, elsewhere = self.spec.monitor, self.world.elsewhere
        if monitor.across_pipelines is None or elsewhere is None or not evaluate:
            return {}
        before: dict[Digest, DriftLevel] = {}
        for record in self.world.monitored:
            known = record.tested
            if known and known.rate == monitor.across_pipelines and known.level <= monitor.level:
                before.setdefault(record.span, known)
        spans = {ref.name: self._span(ref) for ref in evaluate}
        own = {span.digest for span in spans.values() if span is not None}
        first = drift_level(self.spec.name, monitor.across_pipelines, monitor.level, elsewhere, own)
        return drift_levels(
            first,
            [(name, before.get(span.digest) if span else None) for name, span in spans.items()],
        )

    def _because(self, unread: Sequence[SpanRef], evaluate: Sequence[SpanRef]) -> str:
        champion = self.world.champion
        parts = []
        if unread:
            parts.append(f"to read: {shortlist(ref.name for ref in unread)}")
        if evaluate and champion:
            names = shortlist(ref.name for ref in evaluate)
            parts.append(f"to evaluate champion v{champion.version} on: {names}")
        if parts:
            return "; ".join(parts)
        if not self.world.listing.spans:
            return self.world.listing.empty or "the source is empty"
        if champion is None:
            return "there is no champion yet, and every span a training would take was read"
        if not self.newer:
            return f"no good span is newer than those champion v{champion.version} knows"
        count = len(self.newer)
        every = "the 1 span" if count == 1 else f"all {count} spans"
        return f"champion v{champion.version} was evaluated on {every} newer than itself"


def span_of(record: SpanRecord) -> Span:
    """The span of a record that is no refusal."""
    return Snapshot.model_validate(record.snapshot).span


def _place(span: Span | SpanRef) -> tuple[str, list[object]]:
    return span.period_start or "", natural(span.name)
