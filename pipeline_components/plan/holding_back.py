"""What holds a training back although its time has come: cooldown, quiet, budget, back-off."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo

from pipeline_components.contracts.durations import duration
from pipeline_components.contracts.planning import Evaluated
from pipeline_components.contracts.quiet import QuietTime
from pipeline_components.contracts.triggers import Budget, TriggerSpec

from .facts import Facts
from .wakes import attempts, pause_after
from .words import at, count, long


def holders(triggers: TriggerSpec, facts: Facts, stale: bool) -> list[Evaluated]:
    """What applies to this wake; ``fired`` says that it holds back.

    Parameters
    ----------
    triggers : TriggerSpec
    facts : Facts
    stale : bool
        The pipeline is stale: quiet times and cooldown do not count.
    """
    if facts.by_a_person:
        wished = triggers.cooldown if facts.cooldown_wished else None
        return [cooldown(wished, facts)] if wished else []
    found = [back_off(facts)]
    if facts.resumes is not None:
        return found
    if triggers.budget:
        found.append(budget(triggers.budget, facts))
    if triggers.cooldown and not stale:
        found.append(cooldown(triggers.cooldown, facts))
    if triggers.quiet and not stale:
        found.append(quiet(triggers, facts))
    return found


def cooldown(length: str, facts: Facts) -> Evaluated:
    """For so long after a verdict."""
    last = facts.last_verdict
    ends = last + duration(length) if last else None
    holds = ends is not None and facts.now < ends
    return Evaluated(
        condition=f"cooldown: {length}",
        kind="cooldown",
        looked_at="the newest verdict",
        measured=f"{long(facts.now - last)} ago" if last else "none",
        fired=holds,
        because=f"until {at(ends)}" if holds and ends else "over" if last else "no verdict yet",
    )


def quiet(triggers: TriggerSpec, facts: Facts) -> Evaluated:
    """On such days and at such hours of the wall clock."""
    from zoneinfo import ZoneInfo

    zone = ZoneInfo(triggers.timezone)
    holds = _is_quiet(triggers.quiet_times, facts.now, zone)
    ends = _end_of_quiet(triggers.quiet_times, facts.now, zone) if holds else None
    until = f"until {at(ends, zone)}" if ends else "always: it names the whole week"
    return Evaluated(
        condition=f"quiet: {triggers.quiet}",
        kind="quiet",
        looked_at="the clock",
        measured=f"{facts.now.astimezone(zone):%a} {at(facts.now, zone)}",
        fired=holds,
        because=until if holds else "not now",
    )


def budget(limit: Budget, facts: Facts) -> Evaluated:
    """So many runs in any such stretch of time; those a person asked for count too."""
    length = duration(limit.per)
    # The ledger writes what the clock says. Where that is behind, counting from there holds the
    # budget in the ledger's times as well.
    begin = min(facts.now, facts.clock) - length
    within = sorted(opened for opened in facts.opened if opened > begin)
    holds = len(within) >= limit.trainings
    ends = within[-limit.trainings] + length if holds else None
    return Evaluated(
        condition=f"budget: {limit.trainings} per {limit.per}",
        kind="budget",
        looked_at=f"runs begun in the last {limit.per}",
        measured=count(len(within), "training"),
        fired=holds,
        because=f"{len(within)} of {limit.trainings} are spent"
        + (f", until {at(ends)}" if ends else ""),
    )


def back_off(facts: Facts) -> Evaluated:
    """For longer after every attempt that came to no verdict."""
    failed = attempts(facts.wakes, facts.decided, facts.resumes)
    ends = failed[0] + pause_after(len(failed)) if failed else None
    holds = ends is not None and facts.now < ends
    tried = f"{count(len(failed), 'attempt')} since the last verdict, " if failed else ""
    return Evaluated(
        condition="back-off",
        kind="back-off",
        looked_at="trainings begun since the last verdict",
        measured=count(len(failed), "attempt") + " without a verdict",
        fired=holds,
        because=tried + (f"tried again from {at(ends)}" if holds and ends else "no pause is due"),
    )


def _is_quiet(times: Sequence[QuietTime], moment: datetime, zone: tzinfo) -> bool:
    local = moment.astimezone(zone)
    return any(time.holds(local) for time in times)


def _end_of_quiet(times: Sequence[QuietTime], moment: datetime, zone: tzinfo) -> datetime | None:
    """The first minute that is not quiet; None where the whole week is."""
    minute = moment.astimezone(UTC).replace(second=0, microsecond=0)
    for step in range(1, 8 * 24 * 60 + 1):
        later = minute + timedelta(minutes=step)
        if not _is_quiet(times, later, zone):
            return later
    return None
