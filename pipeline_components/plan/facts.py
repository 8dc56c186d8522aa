"""What the policy judges by, read once: from source, ledger and clock, and from nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pipeline_components.clock import Clock, moment, read_iso
from pipeline_components.contracts.base import Digest
from pipeline_components.contracts.planning import PERSON, ChampionRef, PlanRequest, Trigger
from pipeline_components.contracts.spec import PipelineSpec
from pipeline_components.identity import spec_digest
from pipeline_components.ledger import Ledger
from pipeline_components.ledger.records import EvaluationRecord, MonitorRecord, RunRecord
from pipeline_components.source.listing import natural

from .new_spans import NewSpan, new_spans
from .wakes import Decided
from .world import SortedSpans, World

REMEMBERED = 200
"""Wakes looked back at; what is settled lies within a few."""


@dataclass(frozen=True)
class Facts:
    """The world at one moment, as far as triggers ask for it."""

    now: datetime
    """Never before anything the ledger holds."""
    clock: datetime
    """What this machine's clock says."""
    since: datetime
    """The first look at the pipeline there ever was: schedules count from here."""
    trigger: Trigger
    cooldown_wished: bool
    """A person wants the cooldown to hold."""
    resumes: Digest | None
    """An unfinished run that would be gone on with."""
    new: tuple[NewSpan, ...]
    champion: ChampionRef | None
    measured: tuple[MonitorRecord, ...]
    """Of this champion, the newest of each span, in the source's order."""
    wakes: tuple[EvaluationRecord, ...]
    """Those that came to training or to nothing to train, newest first."""
    decided: tuple[Decided, ...]
    """In the order of their verdicts."""
    opened: tuple[datetime, ...]
    """When runs were begun."""
    spec: Digest
    code: Digest
    environment: Digest
    only_the_window: frozenset[Digest] = frozenset()
    """Runs of the same spec but for the window that a person wished for."""

    @property
    def by_a_person(self) -> bool:
        """Whether somebody asked for this run."""
        return self.trigger.run_type in PERSON

    @property
    def last_verdict(self) -> datetime | None:
        """When the newest decision was made."""
        return max((one.at for one in self.decided), default=None)


def gather(
    request: PlanRequest, world: World, spans: SortedSpans, resumes: Digest | None,
    ledger: Ledger, clock: Clock,
) -> Facts:  # fmt: skip
    """Read what the ledger knows."""
    spec = request.pipeline
    runs = ledger.find_runs(spec.name)
    by_key = {run.run_key: run for run in runs}
    decided = tuple(
        Decided(by_key[verdict.run_key], read_iso(verdict.at))
        for verdict in ledger.verdicts(spec.name)
        if verdict.run_key in by_key
    )
    first = ledger.first_evaluation(spec.name)
    newest = ledger.evaluations(spec.name, 1)
    machine = clock()
    due = _due(request.trigger)
    times = [read_iso(record.at) for record in newest] + [one.at for one in decided[-1:]]
    times += [read_iso(run.at) for run in runs[-1:]]
    now = max([machine, *times, *due])
    since = min([read_iso(first.at), *_due(first.trigger)] if first else [now, *due])
    return Facts(
        now=now,
        clock=machine,
        since=since,
        trigger=request.trigger,
        cooldown_wished=request.cooldown,
        resumes=resumes,
        new=new_spans(spec, world.listing.spans, spans, [one.run for one in decided]),
        champion=world.champion,
        measured=_measured(spec, world, ledger),
        wakes=tuple(ledger.decisions(spec.name, REMEMBERED)),
        decided=decided,
        opened=tuple(read_iso(run.at) for run in runs),
        spec=spec_digest(spec),
        code=world.code,
        environment=world.environment,
        only_the_window=_only_the_window(spec, decided[-1:]),
    )


def _due(trigger: Trigger) -> list[datetime]:
    """The tick a scheduled run is for: the scheduler had seen it by then."""
    due = moment(trigger.due) if trigger.run_type == "scheduled" else None
    return [due] if due else []


def _measured(spec: PipelineSpec, world: World, ledger: Ledger) -> tuple[MonitorRecord, ...]:
    """What was measured of spans newer than the champion, one record each, oldest span first."""
    champion = world.champion
    if champion is None or not (spec.triggers.of_kind("drift") or spec.triggers.of_kind("decay")):
        return ()
    newest = {r.name: r for r in ledger.monitorings(spec.name, champion.run_key)}
    places = {ref.name: place for place, ref in enumerate(world.listing.spans)}
    known = _places_of({*champion.window, *champion.holdout}, world, places)
    last = max(known, default=-1)
    found = [
        record
        for record in newest.values()
        if places.get(record.name, last + 1) > last and record.span not in world.quarantined
    ]
    # A span that is listed no more was there before those that still are.
    return tuple(sorted(found, key=lambda r: (places.get(r.name, -1), natural(r.name))))


def _places_of(digests: set[Digest], world: World, places: dict[str, int]) -> list[int]:
    names = {record.name for record in world.records if record.digest in digests}
    return [places[name] for name in names if name in places]


def _only_the_window(spec: PipelineSpec, newest: Sequence[Decided]) -> frozenset[Digest]:
    """The run, if a person asked for it with another window and changed nothing else."""
    for one in newest:
        run: RunRecord = one.run
        if run.trigger.run_type not in PERSON or run.spec == spec_digest(spec):
            continue
        for spans in (len(run.window), "all"):
            window = spec.window.model_copy(update={"spans": spans})
            if run.spec == spec_digest(spec.model_copy(update={"window": window})):
                return frozenset({run.run_key})
    return frozenset()
