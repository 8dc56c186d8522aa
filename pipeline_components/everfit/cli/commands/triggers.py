"""``everfit triggers``: the last evaluations of a pipeline's triggers, newest last, and why."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from everfit.cli.arguments import from_one
from everfit.cli.command import Command, Group
from everfit.cli.terminal import Terminal
from everfit.cli.times import utc, without_zone

if TYPE_CHECKING:
    from everfit.contracts.messages.trigger_facts import Evaluated
    from everfit.storage.ledger.records import EvaluationRecord

MOST = 10_000
"""Evaluations read to fold repetitions: more than three months of sweeps."""

_TRIGGERED_BY = {
    "cli": "everfit run",
    "manual": "a person",
    "scheduled": "the schedule",
    "asset": "an asset event",
    "backfill": "a backfill",
    "refit": "a promotion",
}


@dataclass(frozen=True)
class Folded:
    """An evaluation, and how many like it came after."""

    record: EvaluationRecord
    """The first of them."""
    more: int = 0
    until: str = ""
    """When the last of them was."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which pipeline, and how much of it."""
    parser.add_argument("name", metavar="NAME", help="the pipeline")
    parser.add_argument(
        "--limit", type=from_one, default=10, metavar="N", help="show the last N (10)"
    )
    parser.add_argument(
        "--all", action="store_true", help="show every evaluation, even where nothing changed"
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Show the last evaluations."""
    from everfit.champion.lookup import known_pipeline
    from everfit.contracts.settings import Settings
    from everfit.storage.ledger import open_ledger

    settings = Settings.from_environment()
    with open_ledger(settings.ledger) as ledger:
        known_pipeline(ledger, options.name, settings.pipelines)
        records = ledger.evaluations(options.name, options.limit if options.all else MOST)
    records.reverse()
    found = [Folded(record) for record in records] if options.all else list(fold(records))
    found = found[-options.limit :]
    terminal.document(list(map(_document, found)))
    if found:
        terminal.line(f"Trigger evaluations of {options.name}, newest last; times are UTC.")
    else:
        terminal.line(f"The triggers of {options.name} have not been evaluated yet.")
    for one in found:
        terminal.line()
        for line in lines(one):
            terminal.line(line)
    return 0


def fold(records: Sequence[EvaluationRecord]) -> Iterator[Folded]:
    """Put sweeps that say what the sweep before said into one.

    Parameters
    ----------
    records : sequence of EvaluationRecord
        Oldest first.
    """
    kept: Folded | None = None
    for record in records:
        if kept is not None and _repeats(record, kept.record):
            kept = Folded(kept.record, kept.more + 1, record.at)
            continue
        if kept is not None:
            yield kept
        kept = Folded(record)
    if kept is not None:
        yield kept


def lines(one: Folded) -> list[str]:
    """One evaluation, the first line with time and decision."""
    record = one.record
    found = [
        f"{utc(record.at)}  {record.decision.upper()}  {triggered_by(record)}",
        f"  {without_zone(record.because)}",
    ]
    for condition in record.conditions:
        found += condition_lines(condition)
    if one.more:
        found.append(f"  … and {one.more} more until {utc(one.until)}")
    return found


def condition_lines(one: Evaluated) -> list[str]:
    """What a condition came to, and what was read for it."""
    from everfit.contracts.spec.triggers.kinds import may_hold_back

    mark = "·" if not one.fired else "✗" if may_hold_back(one.kind) else "✓"
    return [
        without_zone(f"  {mark} {one.condition}: {one.because}"),
        without_zone(f"      read {one.looked_at}: {one.measured}"),
    ]


def triggered_by(record: EvaluationRecord) -> str:
    """``triggered by the schedule, due 2026-03-31 14:00``."""
    if record.stage == "sweep":
        return "sweep"
    trigger = record.trigger
    words = _TRIGGERED_BY[trigger.run_type]
    if trigger.due:
        words += f", due {utc(trigger.due)}"
    if trigger.reason:
        words += f": {trigger.reason}"
    return f"{'end of a run ' if record.stage == 'end' else ''}triggered by {words}"


def _repeats(record: EvaluationRecord, before: EvaluationRecord) -> bool:
    """Whether a sweep found what the one before found; ages may have grown."""
    if (record.stage, before.stage) != ("sweep", "sweep"):
        return False
    return (record.decision, _fired(record)) == (before.decision, _fired(before))


def _fired(record: EvaluationRecord) -> list[tuple[str, bool]]:
    return [(one.condition, one.fired) for one in record.conditions]


def _document(one: Folded) -> dict[str, object]:
    return {
        **one.record.model_dump(mode="json"),
        "repeated": one.more,
        "until": one.until or None,
    }


def _answer() -> object:
    from pydantic import Field

    from everfit.storage.ledger.records import EvaluationRecord

    class TriggerEvaluation(EvaluationRecord):
        """One evaluation of a pipeline's triggers, and what plan made of it."""

        repeated: int = Field(description="sweeps after it that found the same")
        until: str | None = Field(description="ISO time of the last of them")

    return list[TriggerEvaluation]


COMMAND = Command(
    group=Group.LOOK_AT,
    help="show the last trigger evaluations: what fired, and why or why not",
    description="Shows the last evaluations of the pipeline's triggers, newest last: what caused "
    "it, the decision and why, and for each condition what was read, what was measured and "
    "whether it fired: ✓ marks what did, ✗ what holds the training back. Sweeps that repeat the "
    "one before are one entry.",
    add_arguments=add_arguments,
    run=run,
    answer=_answer,
    page="explanation/triggers.md",
)
