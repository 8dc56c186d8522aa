"""``everfit restore``: ledger and store made again from a backup, in an empty place."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TypedDict

from everfit.cli.command import Command, Group
from everfit.cli.commands.backup import BackedUp, document, sentence
from everfit.cli.terminal import Terminal


class Restored(TypedDict):
    """What was restored, and what is left to do."""

    backup: BackedUp
    pipelines: list[str]
    """Each needs ``everfit reconcile NAME --rebuild`` next."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where from."""
    parser.add_argument(
        "--from", dest="place", required=True, metavar="PLACE", help="where the backups are"
    )
    parser.add_argument("--backup", metavar="NAME", help="which one (default: the newest)")


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Restore one backup, and say what is left to do."""
    from everfit.contracts.settings import Settings
    from everfit.operations.backup.restore import restore
    from everfit.storage.ledger import open_ledger

    settings = Settings.from_environment()
    with tempfile.TemporaryDirectory(prefix="everfit-") as scratch:
        name, backup = restore(
            settings, options.place, Path(scratch), terminal.progress(), options.backup
        )
    with open_ledger(settings.ledger) as ledger:
        pipelines = list(ledger.pipelines())
    restored: Restored = {"backup": document(name, backup), "pipelines": pipelines}
    terminal.document(restored)
    terminal.line(f"✓ {name}  {sentence(restored['backup'])}; as of {backup.at}")
    for pipeline in pipelines:
        terminal.line(f"  next: everfit reconcile {pipeline} --rebuild")
    return 0


COMMAND = Command(
    group=Group.OPERATE,
    help="fill an empty ledger and store from a backup",
    description="Fills an empty ledger and store from the newest backup, or from the one named, "
    "and says what is left to do.",
    add_arguments=add_arguments,
    run=run,
    answer=lambda: Restored,
    page="how-to/upkeep.md",
)
