"""``everfit triggers``: the last looks at a pipeline's triggers, newest last, and why."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline_components.champion.journal import shown_time
from pipeline_components.champion.lookup import known_pipeline
from pipeline_components.contracts.settings import Settings
from pipeline_components.ledger import open_ledger
from pipeline_components.ledger.records import EvaluationRecord

MOST = 10_000
"""Evaluations read to fold repetitions: more than three months of sweeps."""

_MARKS = {True: "✓", False: "·"}
_WOKEN = {
    "cli": "everfit run", "manual": "a person", "scheduled": "the schedule", "asset": "a signal",
    "backfill": "a backfill",
}  # fmt: skip


@dataclass(frozen=True)
class Look:
    """An evaluation, and how many like it were before."""

    record: EvaluationRecord
    """The first of them."""
    more: int = 0
    until: str = ""
    """When the last of them was."""


def command(options: argparse.Namespace) -> int:
    """Show the last evaluations."""
    settings = Settings.from_environment()
    with open_ledger(settings.ledger) as ledger:
        known_pipeline(ledger, options.name, settings.pipelines)
        records = ledger.evaluations(options.name, options.limit if options.all else MOST)
    records.reverse()
    looks = [Look(record) for record in records] if options.all else list(fold(records))
    looks = looks[-options.limit :]
    if options.json:
        documents = [_document(look) for look in looks]
        sys.stdout.write(json.dumps(documents, indent=2, ensure_ascii=False) + "\n")
    elif looks:
        sys.stdout.write("\n".join(map(text, looks)))
    else:
        sys.stdout.write(f"Nothing has looked at the triggers of {options.name} yet.\n")
    return 0


def fold(records: Sequence[EvaluationRecord]) -> Iterator[Look]:
    """Put sweeps that say what the sweep before said into one.

    Parameters
    ----------
    records : sequence of EvaluationRecord
        Oldest first.
    """
    kept: Look | None = None
    for record in records:
        if kept is not None and _repeats(record, kept.record):
            kept = Look(kept.record, kept.more + 1, record.at)
            continue
        if kept is not None:
            yield kept
        kept = Look(record)
    if kept is not None:
        yield kept


def text(look: Look) -> str:
    """One evaluation as lines, the first with time and decision."""
    record = look.record
    lines = [
        f"{shown_time(record.at)}  {record.decision.upper()}  {_woken(record)}\n",
        f"  {record.because}\n",
    ]
    for one in record.conditions:
        lines.append(f"  {_MARKS[one.fired]} {one.condition}: {one.because}\n")
        lines.append(f"      looked at {one.looked_at}: {one.measured}\n")
    if look.more:
        lines.append(f"  … and {look.more} more until {shown_time(look.until)}\n")
    return "".join(lines)


def _woken(record: EvaluationRecord) -> str:
    if record.stage == "sweep":
        return "sweep"
    trigger = record.trigger
    words = _WOKEN[trigger.run_type]
    if trigger.due:
        words += f", due {shown_time(trigger.due)}"
    if trigger.reason:
        words += f": {trigger.reason}"
    return f"end of a run woken by {words}" if record.stage == "end" else f"woken by {words}"


def _repeats(record: EvaluationRecord, before: EvaluationRecord) -> bool:
    """Whether a sweep found what the one before found; ages may have grown."""
    if (record.stage, before.stage) != ("sweep", "sweep"):
        return False
    return (record.decision, _fired(record)) == (before.decision, _fired(before))


def _fired(record: EvaluationRecord) -> list[tuple[str, bool]]:
    return [(one.condition, one.fired) for one in record.conditions]


def _document(look: Look) -> dict[str, object]:
    document = look.record.model_dump(mode="json")
    if look.more:
        document |= {"repeated": look.more, "until": look.until}
    return document
