"""One policy through history: what it would have trained, and how its champions would serve."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from everfit.contracts.clock import iso
from everfit.contracts.messages.monitoring import Rise
from everfit.contracts.messages.planning import Trigger
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.spec.triggers.kinds import may_hold_back
from everfit.engine.context import Context
from everfit.operations.replay.moments import Arrival, moments
from everfit.operations.replay.sandbox import Sandbox, sandbox
from everfit.operations.replay.story import Served, Story, Training

Watch = Callable[[str, int, int, str], None]
"""Told the policy, moments done, moments in all, and what just happened."""


@dataclass(frozen=True)
class Stretch:
    """Which part of history."""

    since: datetime
    until: datetime
    every: timedelta


def replay(
    policy: str,
    spec: PipelineSpec,
    arrivals: Sequence[Arrival],
    stretch: Stretch,
    real: Context,
    watch: Watch,
) -> Story:
    """Go through history once.

    At the start a first champion is trained for every policy alike; it is not counted. Then, at
    every arrival and every so often between, the champion is evaluated on new spans and the
    triggers are looked at, as the sweep does. Training takes no time.

    Parameters
    ----------
    spec : PipelineSpec
        With the policy's triggers in place of its own.
    """
    times = moments(arrivals, stretch.since, stretch.until, stretch.every)
    story = Story(policy, spec.primary_metric, stretch.since, stretch.until, [], [])
    lasts = _lengths(arrivals, stretch)
    with sandbox(real, spec, times[0]) as world:
        world.let_arrive(tuple(arrivals))
        world.wake(Trigger(run_type="cli", reason="the first champion"))
        known = 0
        for index, moment in enumerate(times):
            world.now = moment
            before = world.arrived
            world.let_arrive(tuple(arrivals))
            if world.arrived != before or index == 0:
                world.monitor()
                known = _take_served(world, story, lasts, known)
            told = _look(world, story) if index else ""
            watch(policy, index + 1, len(times), told)
    return story


def _look(world: Sandbox, story: Story) -> str:
    """Wake the training as the sweep would; what came of it, for the progress shown."""
    decision = world.wake(Trigger(run_type="asset", reason="replayed"))
    (evaluation,) = world.context.ledger.evaluations(world.spec.name, limit=1)
    if evaluation.stage == "end":  # the wake ended before a verdict
        return ""
    if evaluation.decision == "wait":
        story.waits += 1
    if decision is None or evaluation.decision != "train":
        return ""
    fired = tuple(
        dict.fromkeys(
            one.kind for one in evaluation.conditions if one.fired and not may_hold_back(one.kind)
        )
    )
    head = world.context.ledger.champion(world.spec.name)
    story.trainings.append(
        Training(
            world.now, fired, evaluation.because, decision.verdict, head.version if head else None
        )
    )
    return f"{iso(world.now)[:10]} {decision.verdict} ({', '.join(fired) or 'by the clock'})"


def _take_served(
    world: Sandbox, story: Story, lasts: dict[str, tuple[datetime, timedelta]], known: int
) -> int:
    """Note how the serving champion did on the spans measured since the last look."""
    records = world.context.ledger.monitorings(world.spec.name)
    for record in records[known:]:
        if record.name not in lasts:
            continue
        at, length = lasts[record.name]
        rise = _of(record.rises, world.spec.primary_metric)
        story.served.append(
            Served(
                name=record.name,
                at=at,
                lasts=length,
                champion=record.version,
                rows=record.rows,
                score=rise.current if rise else None,
                degraded=rise.beyond(world.spec.monitor.worse_by) if rise else None,
            )
        )
    return len(records)


def _of(rises: Sequence[Rise], metric: str) -> Rise | None:
    return next((one for one in rises if one.metric == metric and not one.estimated), None)


def _lengths(
    arrivals: Sequence[Arrival], stretch: Stretch
) -> dict[str, tuple[datetime, timedelta]]:
    """Span → when it arrived after the start, and how long it was the newest before."""
    found: dict[str, tuple[datetime, timedelta]] = {}
    previous = stretch.since
    for one in arrivals:
        if stretch.since < one.at <= stretch.until:
            found[one.span.name] = (one.at, one.at - previous)
            previous = one.at
    return found
