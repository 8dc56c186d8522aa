"""What monitoring measured of the champion, on spans newer than those it was made from."""

from __future__ import annotations

from collections.abc import Set

from everfit.champion.decayed import measured_span
from everfit.contracts.base import Digest
from everfit.contracts.messages.trigger_facts import MeasuredSpan
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.data.sources.listing import natural
from everfit.steps.plan.facts.world import World
from everfit.storage.ledger import Ledger


def measured_spans(spec: PipelineSpec, world: World, ledger: Ledger) -> tuple[MeasuredSpan, ...]:
    """The newest measurement of each newer span, oldest span first.

    Parameters
    ----------
    spec : PipelineSpec
        Where none of its triggers reads what monitoring measured, nothing is read.
    world : World
        With the champion and the spans there are.
    ledger : Ledger
        Read, not written.
    """
    champion = world.champion
    if champion is None or not any(one.reads_monitoring for one in spec.triggers.conditions()):
        return ()
    newest = {r.name: r for r in ledger.monitorings(spec.name, champion.run_key)}
    places = {ref.name: place for place, ref in enumerate(world.listing.spans)}
    used = _places_of({*champion.window, *champion.holdout}, world, places)
    last = max(used, default=-1)
    found = [
        record
        for record in newest.values()
        if places.get(record.name, last + 1) > last and record.span not in world.quarantined
    ]
    # A span that is listed no more was there before those that still are.
    found.sort(key=lambda record: (places.get(record.name, -1), natural(record.name)))
    return tuple(measured_span(record) for record in found)


def _places_of(digests: Set[Digest], world: World, places: dict[str, int]) -> list[int]:
    names = {record.name for record in world.records if record.digest in digests}
    return [places[name] for name in names if name in places]
