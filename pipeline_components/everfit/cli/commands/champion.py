"""``everfit champion``: who serves, since when and why; also at a time that is past."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Literal, TypedDict

from everfit.cli.command import Command, Group
from everfit.cli.terminal import Terminal

if TYPE_CHECKING:
    from everfit.champion.journal import Reign


class Champion(TypedDict):
    """An entry of the champion's journal."""

    sequence: int
    """Its place in the journal, from 1."""
    version: int
    since: str
    until: str | None
    """Null: it serves today."""
    kind: Literal["promote", "refit", "override", "rollback"]
    reason: str
    run_key: str
    verdict: Literal["promote", "hold", "reject"] | None
    because: str | None
    """Of the verdict."""
    model: str | None
    """sha-256 of the model's file."""
    mlflow_run: str | None
    approved_by: str | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which pipeline, and when."""
    parser.add_argument("name", metavar="NAME", help="the pipeline")
    parser.add_argument(
        "--at",
        metavar="TIME",
        help="who was champion at that time (UTC), such as 2026-03-31T14:00; a day alone means "
        "its end",
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Show one reign."""
    from everfit.champion.agreement import bring_up_to_date
    from everfit.champion.approvals import waiting
    from everfit.champion.journal import moment_of, reign_at, reigns, shown_time
    from everfit.champion.lookup import known_pipeline
    from everfit.champion.seal import refuse_altered_journal
    from everfit.contracts.errors import Unavailable
    from everfit.contracts.settings import Settings
    from everfit.engine.context import open_context

    settings = Settings.from_environment()
    moment = moment_of(options.at) if options.at else None
    name = options.name
    with open_context(settings) as context:
        ledger = context.ledger
        known_pipeline(ledger, name, settings.pipelines)
        refuse_altered_journal(name, context)
        try:
            bring_up_to_date(name, context)
        except Unavailable as error:  # the ledger knows; MLflow follows when it answers
            terminal.complain(error.line)
        found, waits = reigns(ledger, name), waiting(ledger, name)
    reign = reign_at(found, moment) if moment else (found[-1] if found else None)
    terminal.document(reign.document() if reign else None)
    if reign is None:
        first = f"; the first was promoted {shown_time(found[0].entry.at)}" if found else ""
        when = f" at {moment:%Y-%m-%d %H:%M:%S %Z}" if moment and found else " yet"
        terminal.line(f"{name} had no champion{when}{first}.")
    else:
        terminal.line(f"{name} v{reign.entry.version}", style="strong")
        terminal.facts(_facts(name, reign, past=moment is not None))
    for record in waits if moment is None else ():
        number = record.version
        terminal.line(
            f"v{number} waits for your answer: everfit approve {name} {number}, or everfit refuse"
        )
    return 0


def _facts(name: str, reign: Reign, *, past: bool) -> list[tuple[str, str]]:
    from everfit.champion.approvals import told
    from everfit.champion.journal import HOW, shown_time

    entry, version, verdict = reign.entry, reign.version, reign.verdict
    facts = {"since": shown_time(entry.at)}
    if reign.until:
        facts["until"] = shown_time(reign.until)
    elif past:
        facts["until"] = "today"
    facts["how"] = HOW[entry.kind]
    if reign.approval and entry.kind == "promote":
        facts["how"] += f", {told(reign.approval).partition(': ')[0]}"
    facts["because"] = entry.reason
    if verdict and verdict.because != entry.reason:
        facts["verdict"] = f"{verdict.verdict}: {verdict.because}"
    elif verdict:
        facts["verdict"] = verdict.verdict
    facts["run"] = entry.run_key
    if version:
        model = version.champion.model
        facts["model"] = f"{model.digest} ({model.size:,} bytes)"
        facts["trained on"] = f"{len(version.champion.window)} spans"
        facts["mlflow run"] = version.mlflow_run
    facts["report"] = f"everfit explain {name} {entry.version}"
    return list(facts.items())


COMMAND = Command(
    group=Group.LOOK_AT,
    help="show the champion: since when and why it serves",
    description="Shows who is champion, since when, how and why, its run key and the digest of its "
    "model, and what waits for a person's answer. With --at: who was champion at a time in the "
    "past, from the journal.",
    add_arguments=add_arguments,
    run=run,
    answer=lambda: Champion | None,
    page="reference/registry.md",
)
