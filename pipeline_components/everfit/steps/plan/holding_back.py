"""What holds a training back although its time has come: cooldown, quiet, budget, back-off."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from everfit.contracts.messages.trigger_facts import Evaluated, Facts
from everfit.contracts.spec.durations import duration
from everfit.contracts.spec.quiet_times import QuietTime
from everfit.contracts.spec.triggers import Budget, TriggerSpec
from everfit.contracts.wording import count, moment
from everfit.contracts.wording import duration as length

FIRST_PAUSE = timedelta(minutes=15)
LONGEST_PAUSE = timedelta(hours=24)


def what_may_hold_back(triggers: TriggerSpec, facts: Facts, stale: bool) -> list[Evaluated]:
    """What applies to this run; ``fired`` says that it holds back.

    Parameters
    ----------
    triggers : TriggerSpec
    facts : Facts
    stale : bool
        The pipeline is stale: quiet times and cooldown do not count.
    """
    if facts.trigger.by_a_person:
        requested = triggers.cooldown if facts.cooldown_requested else None
        return [cooldown(requested, facts)] if requested else []
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


def cooldown(pause: str, facts: Facts) -> Evaluated:
    """No new training for this long after a verdict."""
    last = facts.last_verdict
    ends = last + duration(pause) if last else None
    holds = ends is not None and facts.now < ends
    return Evaluated(
        condition=f"cooldown: {pause}",
        kind="cooldown",
        looked_at="the newest verdict",
        measured=f"{_minutes(facts.now - last)} ago" if last else "none",
        fired=holds,
        because=f"until {moment(ends)}" if holds and ends else "over" if last else "no verdict yet",
    )


def quiet(triggers: TriggerSpec, facts: Facts) -> Evaluated:
    """No training on these days and in these hours of the local time."""
    zone = ZoneInfo(triggers.timezone)
    holds = _is_quiet(triggers.quiet_times, facts.now, zone)
    ends = _end_of_quiet(triggers.quiet_times, facts.now, zone) if holds else None
    until = f"until {moment(ends)}" if ends else "always: it covers the whole week"
    return Evaluated(
        condition=f"quiet: {triggers.quiet}",
        kind="quiet",
        looked_at="the clock",
        measured=f"{facts.now.astimezone(zone):%a %H:%M} in {zone}, {moment(facts.now)}",
        fired=holds,
        because=until if holds else "not now",
    )


def budget(limit: Budget, facts: Facts) -> Evaluated:
    """No more than this many trainings in any such period; those a person started count too."""
    period = duration(limit.per)
    # The ledger writes what the clock says. Where that is behind, counting from there holds the
    # budget in the ledger's times as well.
    begin = min(facts.now, facts.clock) - period
    within = sorted(opened for opened in facts.opened if opened > begin)
    holds = len(within) >= limit.trainings
    ends = within[-limit.trainings] + period if holds else None
    return Evaluated(
        condition=f"budget: {limit.trainings} per {limit.per}",
        kind="budget",
        looked_at=f"runs begun in the last {limit.per}",
        measured=count(len(within), "training"),
        fired=holds,
        because=f"{len(within)} of {limit.trainings} are used"
        + (f", until {moment(ends)}" if ends else ""),
    )


def back_off(facts: Facts) -> Evaluated:
    """No automatic training for a while after one that came to no verdict, each time longer."""
    failed = facts.failed_attempts
    ends = failed[0] + pause_after(len(failed)) if failed else None
    holds = ends is not None and facts.now < ends
    tried = f"{count(len(failed), 'attempt')} since the last verdict" if failed else ""
    return Evaluated(
        condition="back-off",
        kind="back-off",
        looked_at="trainings begun since the last verdict",
        measured=count(len(failed), "attempt") + " without a verdict",
        fired=holds,
        because=f"{tried}, next try from {moment(ends)}"
        if holds and ends
        else f"{tried}, and the pause is over"
        if failed
        else "no attempt has failed",
    )


def pause_after(number: int) -> timedelta:
    """How long to wait after so many attempts that failed, from 1."""
    return min(FIRST_PAUSE * (1 << min(number - 1, 10)), LONGEST_PAUSE)


def _minutes(age: timedelta) -> str:
    """A length of time without its seconds."""
    return length(age.total_seconds() // 60 * 60)


def _is_quiet(times: Sequence[QuietTime], at: datetime, zone: tzinfo) -> bool:
    local = at.astimezone(zone)
    return any(time.holds(local) for time in times)


def _end_of_quiet(times: Sequence[QuietTime], at: datetime, zone: tzinfo) -> datetime | None:
    """The first minute that is not quiet; None where the whole week is."""
    minute = at.astimezone(UTC).replace(second=0, microsecond=0)
    for step in range(1, 8 * 24 * 60 + 1):
        later = minute + timedelta(minutes=step)
        if not _is_quiet(times, later, zone):
            return later
    return None
