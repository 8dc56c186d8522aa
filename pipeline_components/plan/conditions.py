"""The conditions, a function each: what was looked at, what was measured, whether it fired, why."""

from __future__ import annotations

from datetime import timedelta

from pipeline_components.contracts.durations import duration
from pipeline_components.contracts.errors import shortlist
from pipeline_components.contracts.planning import Evaluated
from pipeline_components.contracts.spec import PipelineSpec
from pipeline_components.contracts.triggers import Condition, NewData

from .facts import Facts
from .monitored import decay, drift
from .wakes import settled
from .words import at, count, long


def look_at(condition: Condition, spec: PipelineSpec, facts: Facts) -> Evaluated:
    """Evaluate one condition that is no group."""
    if condition.schedule is not None:
        return schedule(condition.schedule, spec.triggers.timezone, facts)
    if condition.new_data is not None:
        return new_data(condition.new_data, facts)
    if condition.drift is not None:
        return drift(condition.drift, spec, facts)
    if condition.decay is not None:
        return decay(condition.decay, spec, facts)
    return code(facts)


def schedule(cron: str, zone: str, facts: Facts) -> Evaluated:
    """The newest tick is later than all that has been dealt with."""
    from zoneinfo import ZoneInfo

    from .schedule import last_tick, next_tick

    local = ZoneInfo(zone)
    tick = last_tick(cron, zone, facts.now)
    after = next_tick(cron, zone, facts.now)
    dealt = max(settled(facts.wakes, facts.decided), default=None)
    coming = f"; the next tick is {at(after, local)}" if after else "; there is no other tick"
    fired = False
    if tick is None or tick < facts.since:
        because = f"no tick since the first look at {at(facts.since, local)}{coming}"
    elif dealt is not None and dealt >= tick:
        because = f"the tick of {at(tick, local)} is dealt with{coming}"
    else:
        fired, because = True, f"the tick of {at(tick, local)} is due"
    return Evaluated(
        condition=f"schedule: {cron}" + ("" if zone == "UTC" else f" ({zone})"),
        kind="schedule",
        looked_at="the newest tick, and what was dealt with since",
        measured=f"newest tick {at(tick, local) if tick else 'none'}, dealt with up to "
        + (at(dealt, local) if dealt else "nothing yet"),
        fired=fired,
        because=because,
    )


def new_data(wanted: NewData, facts: Facts) -> Evaluated:
    """Enough good spans are in no decided run."""
    names = [span.name for span in facts.new]
    rows = sum(span.rows or 0 for span in facts.new)
    unread = [span.name for span in facts.new if span.rows is None]
    fired = len(names) >= wanted.min_spans and rows >= wanted.min_rows
    parts = []
    if not names:
        parts.append("every good span is in a decided run")
    elif fired:
        parts.append(f"{_amount(names, rows, wanted)}: {shortlist(names)}")
    elif len(names) < wanted.min_spans:
        parts.append(f"{count(len(names), 'new span')}, {wanted.min_spans:,} wanted")
    else:
        parts.append(f"{count(rows, 'row')} in {shortlist(names)}, {wanted.min_rows:,} wanted")
    if unread and wanted.min_rows:
        parts.append(f"not read yet, so without rows: {shortlist(unread)}")
    text = f"new_data: min_spans {wanted.min_spans:,}"
    if wanted.min_rows:
        text += f", min_rows {wanted.min_rows:,}"
    return Evaluated(
        condition=text,
        kind="new_data",
        looked_at="good spans of the source that are in no run with a verdict",
        measured=f"{count(len(names), 'span')}, {count(rows, 'row')}"
        + (f", {len(unread)} not read yet" if unread else ""),
        fired=fired,
        because="; ".join(parts),
    )


def _amount(names: list[str], rows: int, wanted: NewData) -> str:
    text = count(len(names), "span")
    return f"{text} with {count(rows, 'row')}" if wanted.min_rows else text


def code(facts: Facts) -> Evaluated:
    """Spec, components or environment are not those of the last decided run."""
    last = facts.decided[-1].run if facts.decided else None
    differ: list[str] = []
    if last is not None:
        if last.spec != facts.spec and last.run_key not in facts.only_the_window:
            differ.append("the spec")
        if last.code != facts.code:
            differ.append("the components")
        if last.environment != facts.environment:
            differ.append("the environment")
    if last is None:
        because = "no run has come to a verdict yet, so none has this code"
    elif differ:
        because = f"changed since run {last.run_key[:12]}: {', '.join(differ)}"
    else:
        because = f"spec, components and environment are those of run {last.run_key[:12]}"
    return Evaluated(
        condition="code: true",
        kind="code",
        looked_at="digests of spec, components and environment, and those of the last decided run",
        measured=f"{len(differ)} of 3 differ" if last else "no decided run",
        fired=last is None or bool(differ),
        because=because,
    )


def staleness(limit: str, facts: Facts) -> Evaluated:
    """The last verdict, or where there is none the first look, is too long ago."""
    last = facts.last_verdict
    age = max(facts.now - (last or facts.since), timedelta(0))
    fired = age >= duration(limit)
    because = (
        f"the last verdict is {long(age)} old"
        if last
        else f"there was no verdict in the {long(age)} since the first look"
    )
    return Evaluated(
        condition=f"max_staleness: {limit}",
        kind="staleness",
        looked_at="the newest verdict" if last else "the first look at the pipeline",
        measured=f"{long(age)} old",
        fired=fired,
        because=f"{because}, {limit} is " + ("the most" if fired else "allowed"),
    )
