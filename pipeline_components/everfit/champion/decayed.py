"""Whether the champion has surely decayed, by what monitoring recorded in the ledger."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from everfit.contracts.base import Digest
from everfit.contracts.clock import moment, read_iso
from everfit.contracts.errors import shortlist
from everfit.contracts.messages.evaluations import ChampionDecay
from everfit.contracts.messages.planning import ChampionRef
from everfit.contracts.messages.spans import Snapshot
from everfit.contracts.messages.trigger_facts import MeasuredSpan
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.spec.rules import rules_digest
from everfit.contracts.spec.triggers.kinds.decay import Decay
from everfit.storage.ledger import Ledger
from everfit.storage.ledger.records import MonitorRecord, SpanRecord


def champion_decay(
    spec: PipelineSpec,
    champion: ChampionRef | None,
    ledger: Ledger,
    holdout: Collection[str],
) -> ChampionDecay | None:
    """What monitoring has found of a champion, by the rule that wakes a training for decay.

    Parameters
    ----------
    spec : PipelineSpec
        The ``decay`` conditions of its triggers on the gate's metric are the rule; without one,
        ``monitor.worse_by`` in two of the newest three spans.
    champion : ChampionRef or None
        What the candidate is compared with.
    ledger : Ledger
        Read, not written.
    holdout : collection of str
        Names of the spans that the candidate is judged on.

    Returns
    -------
    ChampionDecay or None
        None without a champion, or where the gate has no ``when_decayed``.

    Notes
    -----
    What verdicts have answered counts here: a champion that stayed is no better for it.
    """
    if champion is None or spec.gate.when_decayed is None:
        return None
    spans = newer_spans(spec, champion, ledger)
    rules = [
        one
        for one in spec.triggers.conditions()
        if isinstance(one, Decay) and one.metric in (None, spec.primary_metric)
    ] or [Decay(worse_by=spec.monitor.worse_by)]
    others = [span for span in spans if span.name not in holdout]
    shown = next((rule for rule in rules if _shows(rule, spec, spans)), None)
    before = any(_shows(rule, spec, others) for rule in rules)
    who = f"champion v{champion.version}"
    if shown is None:
        return ChampionDecay(
            decayed=False, before=before, because=f"{who} is not surely worse than attainable"
        )
    readings = shown.readings(spec.primary_metric, spans)
    on = [one.name for one in readings[-shown.newest :] if one.on]
    because = f"{who} is surely worse than attainable, on {shortlist(on)}"
    return ChampionDecay(decayed=True, before=before, because=because)


def newer_spans(
    spec: PipelineSpec, champion: ChampionRef, ledger: Ledger
) -> tuple[MeasuredSpan, ...]:
    """The newest measurement of each span newer than the champion's own, oldest span first.

    Spans lie in the order of their time; where they are not dated, in the order they were measured.

    Parameters
    ----------
    spec : PipelineSpec
    champion : ChampionRef
    ledger : Ledger
        Read, not written.
    """
    newest: dict[str, MonitorRecord] = {}
    for record in ledger.monitorings(spec.name, champion.run_key):
        newest[record.name] = record
    bad = ledger.quarantined(spec.name, rules_digest(spec))
    begins = _begins(ledger.spans(spec.name))
    own = [begins[one] for one in (*champion.window, *champion.holdout) if one in begins]
    found = [
        record
        for record in newest.values()
        if record.span not in bad
        and record.span not in {*champion.window, *champion.holdout}
        and not (own and record.span in begins and begins[record.span] < max(own))
    ]
    if all(record.span in begins for record in found):
        found.sort(key=lambda record: begins[record.span])
    return tuple(measured_span(record) for record in found)


def measured_span(record: MonitorRecord) -> MeasuredSpan:
    """What triggers see of a record of monitoring."""
    return MeasuredSpan(
        name=record.name,
        state=record.state,
        inputs=record.inputs,
        columns=record.columns,
        strongest=record.strongest,
        rises=record.rises,
    )


def _shows(rule: Decay, spec: PipelineSpec, spans: Sequence[MeasuredSpan]) -> bool:
    return rule.shows(rule.readings(spec.primary_metric, spans))


def _begins(records: Sequence[SpanRecord]) -> dict[Digest, datetime]:
    """Digest of a span → where its period begins, or the middle half of its rows."""
    found = {}
    for record in records:
        if record.digest is None or record.snapshot is None:
            continue
        snapshot = Snapshot.model_validate(record.snapshot)
        begins = moment(snapshot.span.period_start)
        if begins is None and snapshot.times is not None:
            begins = read_iso(snapshot.times.begin)
        if begins is not None:
            found[record.digest] = begins
    return found
