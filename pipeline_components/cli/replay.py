"""``everfit replay``: history through other triggers, so that thresholds are not guessed."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline_components.clock import now
from pipeline_components.context import open_context, pin_threads
from pipeline_components.contracts.durations import duration
from pipeline_components.contracts.errors import UserError
from pipeline_components.contracts.settings import Settings
from pipeline_components.contracts.spec import PipelineSpec
from pipeline_components.contracts.spec_file import find_spec, load_spec
from pipeline_components.own_images import refuse_own_images
from pipeline_components.replay.policies import read_policy
from pipeline_components.replay.story import Story, Summary

TITLES = (
    "policy", "trainings", "promoted", "not promoted", "false alarms", "degraded", "held back",
    "served",
)  # fmt: skip


def command(options: argparse.Namespace) -> int:
    """Replay each policy and show them side by side."""
    from pipeline_components.replay.moments import arrivals
    from pipeline_components.replay.replay import Stretch, replay
    from pipeline_components.replay.sandbox import JUDGED, MEASURED
    from pipeline_components.source import list_spans

    settings = Settings.from_environment()
    spec = load_spec(find_spec(settings.pipelines, options.name))
    refuse_own_images(spec, ("plan", *JUDGED, *MEASURED))
    policies = _policies(options, spec)
    pin_threads(spec.train.threads)
    until = _time(options.until, "--until") if options.until else now()
    every = _length(options.every)
    with open_context(settings) as context:
        found = arrivals(
            spec.name, list_spans(spec.source, settings).spans, context.ledger.spans(spec.name)
        )
        if not found:
            raise UserError(
                "REPLAY-EMPTY", spec.name, "a replay needs spans in the source", "there is none",
                "Check source.uri with everfit check",
            )  # fmt: skip
        since = _time(options.since, "--since") if options.since else found[0].at
        stretch = Stretch(since, min(until, found[-1].at + every), every)
        if stretch.since >= stretch.until:
            raise UserError(
                "REPLAY-TIME", "--since",
                f"a replay begins before the last span came, {found[-1].at:%Y-%m-%d}",
                f"it is {stretch.since:%Y-%m-%d}", "Give an earlier day",
            )  # fmt: skip
        stories = [
            replay(name, one, found, stretch, context, _Progress()) for name, one in policies
        ]
    summaries = [story.summary() for story in stories]
    if options.json:
        sys.stdout.write(json.dumps([_document(s) for s in stories], indent=2) + "\n")
        return 0
    if options.trainings:
        for story in stories:
            sys.stdout.write(_told(story))
    sys.stdout.write(table(summaries))
    return 0


def _policies(options: argparse.Namespace, spec: PipelineSpec) -> list[tuple[str, PipelineSpec]]:
    named = [("as it is", spec)]
    for path in map(Path, options.policy or ()):
        named.append((path.stem, read_policy(path, spec)))
    return named


def table(summaries: Sequence[Summary]) -> str:
    """A line for each policy, and what the columns mean."""
    rows = [TITLES, *map(_row, summaries)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(TITLES))]
    lines = [
        "  ".join(
            text.ljust(width) if index == 0 else text.rjust(width)
            for index, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([*lines, "", *_legend(summaries[0])]) + "\n"


def _row(found: Summary) -> tuple[str, ...]:
    woken = ", ".join(f"{kind} {count}" for kind, count in found.woken_by.items())
    return (
        found.policy,
        f"{found.trainings} ({woken})" if woken else str(found.trainings),
        str(found.promotions),
        str(found.held_or_rejected),
        str(found.false_alarms),
        f"{found.degraded_days:.0f} d ({found.degraded_share:.0%})",
        str(found.waits),
        f"{found.served:.4g}" if found.served is not None else "-",
    )


def _legend(found: Summary) -> list[str]:
    unmeasured = f", {found.unmeasured_days:.0f} of them not measured"
    return [
        f"{found.days:.0f} days{unmeasured if found.unmeasured_days >= 1 else ''}. "
        "false alarms: trainings for drift or decay alone that promoted nothing.",
        "degraded: days in which the champion served surely worse than when it was judged, and by "
        "monitor.worse_by or more.",
        f"held back: looks at which cooldown, quiet or budget said wait. served: {found.metric} of "
        "the champions in service over all spans.",
    ]


def _told(story: Story) -> str:
    lines = [f"{story.policy}:\n"]
    for one in story.trainings:
        champion = f"champion v{one.champion}" if one.champion else "no champion"
        lines.append(f"  {one.at:%Y-%m-%d}  {one.verdict:<8} {champion:<13} {one.because}\n")
    return "".join([*lines, "\n"])


def _document(story: Story) -> dict[str, object]:
    return {
        **story.summary().model_dump(mode="json"),
        "history": [
            {
                "at": one.at.isoformat(), "fired": list(one.fired), "because": one.because,
                "verdict": one.verdict, "champion": one.champion,
            }
            for one in story.trainings
        ],
    }  # fmt: skip


class _Progress:
    """One line that is written over in a terminal, and a line per training elsewhere."""

    def __call__(self, policy: str, done: int, total: int, told: str) -> None:
        write = sys.stderr.write
        if sys.stderr.isatty():
            write(f"\r  {policy}: {done} of {total} looks  {told:<60.60}")
            if done == total:
                write("\r" + " " * 100 + "\r")
        elif told:
            write(f"  {policy}: {told}\n")
        sys.stderr.flush()


def _time(text: str, flag: str) -> datetime:
    """``2018-01``, ``2018-01-31`` or a whole ISO time; UTC where it says no zone."""
    try:
        whole = f"{text}-01" if re.fullmatch(r"\d{4}-\d{2}", text) else text
        moment = datetime.fromisoformat(whole)
    except ValueError:
        raise UserError(
            "TIME", flag, "a time is written 2018-01, 2018-01-31 or 2018-01-31T14:00",
            f"it is {text!r}", "Write it so",
        ) from None  # fmt: skip
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _length(text: str) -> timedelta:
    try:
        return duration(text)
    except ValueError as error:
        raise UserError("TIME", "--every", str(error), f"it is {text!r}", "Give --every 1d") from (
            None
        )
