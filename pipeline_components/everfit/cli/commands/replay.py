"""``everfit replay``: history through other triggers, so that thresholds are not guessed."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from everfit.cli.arguments import moment
from everfit.cli.command import Command, Group
from everfit.cli.terminal import Terminal
from everfit.contracts.errors import UserError
from everfit.contracts.wording import number, percent

if TYPE_CHECKING:
    from everfit.contracts.spec.pipeline import PipelineSpec
    from everfit.operations.replay.story import Story, Summary

TITLES = (
    "policy",
    "trainings",
    "promoted",
    "not promoted",
    "false alarms",
    "degraded",
    "held back",
    "served",
)


class ReplayedTraining(TypedDict):
    """A training of the replay."""

    at: str
    fired: list[str]
    """Kinds of the conditions that had fired."""
    because: str
    verdict: str
    champion: int | None
    """Version of the champion afterwards."""


class Replayed(TypedDict):
    """One policy, replayed."""

    policy: str
    trainings: int
    triggered_by: dict[str, int]
    """Kind of condition → trainings it had fired for."""
    promotions: int
    held_or_rejected: int
    false_alarms: int
    """Trainings for drift or decay alone that did not end in a promotion."""
    days: float
    degraded_days: float
    """Days in which the champion was surely worse than attainable."""
    unmeasured_days: float
    metric: str
    served: float | None
    """The champions' score over all spans, weighted by rows."""
    waits: int
    """Evaluations in which a condition had fired and was held back."""
    history: list[ReplayedTraining]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which pipeline, which policies, and which part of history."""
    parser.add_argument("name", metavar="NAME", help="the pipeline")
    parser.add_argument(
        "--policy",
        action="append",
        metavar="FILE",
        help="YAML with other triggers; may be given again; the pipeline's own come first",
    )
    parser.add_argument(
        "--since", metavar="TIME", help="from then on, such as 2018-01 (default: all)"
    )
    parser.add_argument("--until", metavar="TIME", help="up to then (default: all)")
    parser.add_argument(
        "--every",
        default="1d",
        metavar="LENGTH",
        help="evaluate the triggers this often between arrivals (1d)",
    )
    parser.add_argument("--trainings", action="store_true", help="list every training too")


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Replay each policy and show them side by side."""
    from everfit.contracts.clock import now
    from everfit.contracts.settings import Settings
    from everfit.contracts.spec.load import find_spec, load_spec
    from everfit.data.sources.beside import list_with_tables
    from everfit.engine.context import open_context, pin_threads
    from everfit.engine.own_images import refuse_own_images
    from everfit.operations.replay.moments import arrivals
    from everfit.operations.replay.replay import Stretch, replay
    from everfit.operations.replay.row_times import end_of_rows
    from everfit.operations.replay.sandbox import judging_tasks, measuring_tasks

    settings = Settings.from_environment()
    spec = load_spec(find_spec(settings.pipelines, options.name))
    if spec.labels is not None:
        raise UserError(
            "REPLAY-LABELS",
            spec.name,
            "a replay needs to know which labels were there at each time",
            "they stand in a table of their own, which is read as it is now",
            "Replay a pipeline whose source holds its target",
        )
    tasks = [*judging_tasks(spec), *measuring_tasks(spec)]
    refuse_own_images(spec, dict.fromkeys(task.component for task in tasks))
    policies = _policies(options, spec)
    pin_threads(spec.train.threads)
    until = moment(options.until, "--until") if options.until else now()
    every = _length(options.every)
    with open_context(settings) as context:
        spans = list_with_tables(spec, settings).listing.spans
        ends = end_of_rows(spec, spans, context)
        found = arrivals(spec.name, spans, context.ledger.spans(spec.name), ends)
        if not found:
            raise UserError(
                "REPLAY-EMPTY",
                spec.name,
                "a replay needs spans in the source",
                "there is none",
                "Check source.uri with everfit check",
            )
        since = moment(options.since, "--since") if options.since else found[0].at
        stretch = Stretch(since, min(until, found[-1].at + every), every)
        if stretch.since >= stretch.until:
            raise UserError(
                "REPLAY-TIME",
                "--since",
                f"a replay begins before the last span came, {found[-1].at:%Y-%m-%d}",
                f"it is {stretch.since:%Y-%m-%d}",
                "Give an earlier day",
            )
        stories = [
            replay(name, one, found, stretch, context, _progress(terminal))
            for name, one in policies
        ]
    terminal.document(list(map(_document, stories)))
    if options.trainings:
        for story in stories:
            _show_trainings(story, terminal)
    show([story.summary() for story in stories], terminal)
    return 0


def _policies(options: argparse.Namespace, spec: PipelineSpec) -> list[tuple[str, PipelineSpec]]:
    from everfit.operations.replay.policies import read_policy

    named = [("as it is", spec)]
    for path in map(Path, options.policy or ()):
        named.append((path.stem, read_policy(path, spec)))
    return named


def show(summaries: Sequence[Summary], terminal: Terminal) -> None:
    """A line for each policy, and what the columns mean."""
    terminal.table(TITLES, map(_row, summaries), right=TITLES[1:])
    terminal.line()
    for line in _legend(summaries[0]):
        terminal.line(line)


def _row(found: Summary) -> tuple[str, ...]:
    fired = ", ".join(f"{kind} {count}" for kind, count in found.triggered_by.items())
    return (
        found.policy,
        f"{found.trainings} ({fired})" if fired else str(found.trainings),
        str(found.promotions),
        str(found.held_or_rejected),
        str(found.false_alarms),
        f"{found.degraded_days:.0f} d ({percent(found.degraded_share)})",
        str(found.waits),
        number(found.served, digits=4),
    )


def _legend(found: Summary) -> list[str]:
    from everfit.contracts.spec.metrics import metric_title

    unmeasured = f", {found.unmeasured_days:.0f} of them not measured"
    return [
        f"{found.days:.0f} days{unmeasured if found.unmeasured_days >= 1 else ''}. "
        "false alarms: trainings for drift or decay alone that promoted nothing.",
        "degraded: days in which the champion served surely worse than a fresh model would have, "
        "and by monitor.worse_by or more.",
        "held back: trigger evaluations at which cooldown, quiet or budget said wait.",
        f"served: {metric_title(found.metric)} of the champions over all the spans they served.",
    ]


def _show_trainings(story: Story, terminal: Terminal) -> None:
    terminal.line(f"{story.policy}:")
    for one in story.trainings:
        champion = f"champion v{one.champion}" if one.champion else "no champion"
        terminal.line(f"  {one.at:%Y-%m-%d}  {one.verdict:<8} {champion:<13} {one.because}")
    terminal.line()


def _document(story: Story) -> dict[str, object]:
    """The story as ``Replayed`` says."""
    return {
        **story.summary().model_dump(mode="json"),
        "history": [
            {
                "at": one.at.isoformat(),
                "fired": list(one.fired),
                "because": one.because,
                "verdict": one.verdict,
                "champion": one.champion,
            }
            for one in story.trainings
        ],
    }


def _progress(terminal: Terminal) -> Callable[[str, int, int, str], None]:
    """A bar for each policy; where there is none, a line for every tenth."""
    progress = terminal.progress()

    def update(policy: str, done: int, total: int, told: str) -> None:
        progress.update(f"{policy}  {told:.60}", done, total)

    return update


def _length(text: str) -> timedelta:
    from everfit.contracts.spec.durations import duration

    try:
        return duration(text)
    except ValueError as error:
        raise UserError("TIME", "--every", str(error), f"it is {text!r}", "Give --every 1d") from (
            None
        )


COMMAND = Command(
    group=Group.WORK_ON,
    help="replay history through other triggers, side by side",
    description="Replays the pipeline's history through its own and other triggers and shows side "
    "by side: trainings and what triggered them, promotions, false alarms, days with a degraded "
    "champion, how the champions served. Nothing is registered, and the ledger is not written.",
    add_arguments=add_arguments,
    run=run,
    answer=lambda: list[Replayed],
    page="how-to/replay.md",
)
