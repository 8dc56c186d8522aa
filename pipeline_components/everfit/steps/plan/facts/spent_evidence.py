"""Which measured spans a verdict has answered already, without a new champion."""

from __future__ import annotations

from collections.abc import Sequence

from everfit.contracts.base import Digest
from everfit.contracts.clock import read_iso
from everfit.contracts.messages.trigger_facts import MeasuredSpan, SpentEvidence
from everfit.steps.plan.facts.world import World
from everfit.storage.ledger import Ledger
from everfit.storage.ledger.records import RunRecord


def spent_evidence(
    spec_name: str,
    spec: Digest,
    world: World,
    ledger: Ledger,
    measured: Sequence[MeasuredSpan],
    finished: Sequence[RunRecord],
) -> tuple[SpentEvidence, ...]:
    """What each finished run that was compared with the present champion has answered.

    A run answers what was measured when it began, and what was measured of the spans it took or of
    older ones, whenever that was. Another spec is another question: its verdicts answer nothing.

    Parameters
    ----------
    spec_name : str
        The pipeline.
    spec : str
        Digest of today's spec.
    world : World
    ledger : Ledger
        Read, not written.
    measured : sequence of MeasuredSpan
        Of the present champion.
    finished : sequence of RunRecord
        The runs that have a verdict, in the order of their verdicts.
    """
    champion = world.champion
    if champion is None or not measured:
        return ()
    first: dict[str, str] = {}
    for record in ledger.monitorings(spec_name, champion.run_key):
        first.setdefault(record.name, record.at)
    places = {ref.name: place for place, ref in enumerate(world.listing.spans)}
    names = {record.digest: record.name for record in world.records if record.digest}
    found = []
    for run in finished:
        pinned = run.champion.run_key if run.champion else None
        if pinned != champion.run_key or run.run_key == pinned or run.spec != spec:
            continue
        began = read_iso(run.at)
        taken = (names.get(digest, "") for digest in (*run.window, *run.holdout))
        last = max((places.get(name, -1) for name in taken), default=-1)
        spans = frozenset(
            one.name
            for one in measured
            if places.get(one.name, -1) <= last or read_iso(first[one.name]) <= began
        )
        if spans:
            found.append(SpentEvidence(run.run_key, spans))
    return tuple(found)
