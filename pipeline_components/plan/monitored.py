"""Drift and decay, from what monitoring measured of the champion."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipeline_components.contracts.errors import shortlist
from pipeline_components.contracts.margins import Margin
from pipeline_components.contracts.monitoring import Rise
from pipeline_components.contracts.planning import Evaluated
from pipeline_components.contracts.spec import PipelineSpec
from pipeline_components.contracts.triggers import Decay, Drift, so_many
from pipeline_components.ledger.records import MonitorRecord

from .facts import Facts
from .hysteresis import lasting, states

Reading = Callable[[MonitorRecord], bool | None]
"""True switches on, False off, None keeps."""


def drift(wanted: Drift, spec: PipelineSpec, facts: Facts) -> Evaluated:
    """Columns or loss have moved in so many of the newest spans."""
    margin = spec.monitor.worse_by
    half = margin.model_copy(update={"value": margin.value / 2})
    records = _readable(facts.measured)
    parts: list[tuple[str, list[bool]]] = []
    if wanted.on in ("loss", "loss_or_inputs"):
        metric = spec.primary_metric
        if wanted.on == "loss":
            records = [r for r in records if _rise(r, metric) is not None]
        parts.append(("loss", states(map(_by_rise(metric, margin, half), records))))
    if wanted.on in ("inputs", "loss_or_inputs"):
        parts.append(("inputs", states(map(_by_score(spec, "inputs"), records))))
    if wanted.on == "columns":
        parts.append(("columns", states(map(_by_score(spec, "columns"), records))))
    on = [any(turn) for turn in zip(*(found for _, found in parts), strict=True)]
    scores = [
        f"{record.name} {_scores(record, spec, wanted.on)}" for record in records[-_of(wanted) :]
    ]
    return _evaluated(
        f"drift: {wanted.on}, {wanted.lasting}", "drift", wanted, facts, records, on,
        "; ".join(scores),
    )  # fmt: skip


def decay(wanted: Decay, spec: PipelineSpec, facts: Facts) -> Evaluated:
    """The champion's score is worse by so much in so many of the newest spans."""
    metric = wanted.metric or spec.primary_metric
    records = [r for r in _readable(facts.measured) if _rise(r, metric) is not None]
    on = states(map(_by_rise(metric, wanted.worse_by, wanted.off_below), records))
    scores = [f"{r.name} {_rise_text(_rise(r, metric))}" for r in records[-_of(wanted) :]]
    written = _margin(wanted.worse_by)
    return _evaluated(
        f"decay: {metric} worse by {written}, {wanted.lasting}", "decay", wanted, facts, records,
        on, "; ".join(scores),
    )  # fmt: skip


def _evaluated(
    condition: str, kind: str, wanted: Drift | Decay, facts: Facts,
    records: Sequence[MonitorRecord], on: Sequence[bool], scores: str,
) -> Evaluated:  # fmt: skip
    needed, newest = so_many(wanted.lasting)
    there = lasting(on, needed, newest)
    fired = there >= needed
    if facts.champion is None:
        because = "there is no champion to be held against anything"
    elif not records:
        because = f"no span newer than champion v{facts.champion.version} is measured yet"
        if skipped := len(facts.measured):
            because += f" ({skipped} could not be)"
    else:
        names = [
            record.name
            for record, is_on in zip(records[-newest:], on[-newest:], strict=True)
            if is_on
        ]
        where = f": {shortlist(names)}" if names else ""
        because = f"on in {there} of the newest {newest}{where}; {needed} wanted"
        if len(records) < newest:
            because += f"; only {len(records)} measured yet"
    champion = f"champion v{facts.champion.version}" if facts.champion else "a champion"
    return Evaluated(
        condition=condition,
        kind=kind,
        looked_at=f"the newest {newest} spans held against {champion}",
        measured=scores or "nothing",
        fired=fired,
        because=because,
    )


def _readable(records: Sequence[MonitorRecord]) -> list[MonitorRecord]:
    """Broken spans and small ones tell nothing of the world."""
    return [record for record in records if record.state == "measured"]


def _rise(record: MonitorRecord, metric: str) -> Rise | None:
    """By labels; an estimate wakes nothing."""
    return next((r for r in record.rises if r.metric == metric and not r.estimated), None)


def _by_rise(metric: str, on: Margin, off: Margin) -> Reading:
    def reading(record: MonitorRecord) -> bool | None:
        rise = _rise(record, metric)
        if rise is None:
            return None
        return True if rise.beyond(on) else False if rise.below(off) else None

    return reading


def _by_score(spec: PipelineSpec, which: str) -> Reading:
    def reading(record: MonitorRecord) -> bool | None:
        score = record.inputs if which == "inputs" else record.columns
        if score >= spec.monitor.effect:
            return True
        return False if score < spec.monitor.off_below else None

    return reading


def _scores(record: MonitorRecord, spec: PipelineSpec, which: str) -> str:
    parts = []
    if which in ("loss", "loss_or_inputs"):
        parts.append(_rise_text(_rise(record, spec.primary_metric)))
    if which in ("inputs", "loss_or_inputs"):
        parts.append(f"inputs {record.inputs:.3g}")
    if which == "columns":
        parts.append(f"columns {record.columns:.3g}")
    if which != "loss" and record.strongest:
        parts.append(f"moved: {shortlist(record.strongest, 3)}")
    return ", ".join(parts)


def _rise_text(rise: Rise | None) -> str:
    if rise is None:
        return "loss not known"
    return f"{rise.metric} {rise.reference:.4g} → {rise.current:.4g}"


def _margin(margin: Margin) -> str:
    return f"{margin.value:.4g}" if not margin.relative else f"{margin.value * 100:.4g}%"


def _of(wanted: Drift | Decay) -> int:
    return so_many(wanted.lasting)[1]
