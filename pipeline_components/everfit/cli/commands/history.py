"""``everfit history``: every champion there was, with reasons; then who was refused, who waits."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from everfit.cli.command import Command, Group
from everfit.cli.commands.champion import Champion
from everfit.cli.terminal import Terminal

if TYPE_CHECKING:
    from everfit.champion.approvals import Asking
    from everfit.champion.journal import Reign

TITLES = ("#", "since (UTC)", "version", "how", "run", "model", "reason")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which pipeline."""
    parser.add_argument("name", metavar="NAME", help="the pipeline")


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Show the journal."""
    from everfit.champion.approvals import askings, waiting
    from everfit.champion.journal import reigns
    from everfit.champion.lookup import known_pipeline
    from everfit.champion.seal import refuse_altered_journal
    from everfit.contracts.errors import IntegrityError
    from everfit.contracts.settings import Settings
    from everfit.engine.context import open_context

    settings = Settings.from_environment()
    with open_context(settings) as context:
        ledger = context.ledger
        known_pipeline(ledger, options.name, settings.pipelines)
        found, asked = reigns(ledger, options.name), askings(ledger, options.name)
        open_still = {record.version for record in waiting(ledger, options.name)}
        altered: IntegrityError | None = None
        try:
            refuse_altered_journal(options.name, context)
        except IntegrityError as error:  # said last, below what the journal says all the same
            altered = error
    terminal.document([reign.document() for reign in found])
    if found:
        terminal.table(TITLES, map(row, found), right=("#",))
    else:
        terminal.line(f"{options.name} had no champion yet.")
    for one in asked:
        if text := _not_promoted(one, open_still):
            terminal.line(text)
    if altered is not None:
        raise altered
    return 0


def _not_promoted(asking: Asking, open_still: set[int]) -> str:
    """A line for a version that waits for a person, was refused, or was never answered."""
    from everfit.champion.approvals import told

    number, answer = asking.version.version, asking.answer
    if answer is None:
        late = "was not answered before another version was promoted"
        return f"v{number} {'waits for an answer' if number in open_still else late}"
    return f"v{number} was {told(answer)}" if answer.answer == "refuse" else ""


def row(reign: Reign) -> tuple[str, ...]:
    """One line of the table; the reason comes last and is never cut."""
    from everfit.champion.journal import shown_time

    entry = reign.entry
    return (
        str(entry.sequence),
        shown_time(entry.at).removesuffix(" UTC"),
        f"v{entry.version}",
        entry.kind,
        entry.run_key[:12],
        reign.version.champion.model.digest[:12] if reign.version else "?",
        entry.reason,
    )


COMMAND = Command(
    group=Group.LOOK_AT,
    help="list every champion there was, with reasons",
    description="Lists every champion there was, oldest first: who or what promoted it, and why. "
    "Then the versions that were refused, or wait for an answer.",
    add_arguments=add_arguments,
    run=run,
    answer=lambda: list[Champion],
    page="reference/registry.md",
)
