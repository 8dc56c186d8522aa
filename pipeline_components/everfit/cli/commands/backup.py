"""``everfit backup``: the ledger and the store, as they are at one moment, to another place."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from everfit.cli.command import Command, Group
from everfit.cli.terminal import Terminal
from everfit.contracts.wording import count, size

if TYPE_CHECKING:
    from everfit.operations.backup.manifest import Backup


class BackedUp(TypedDict):
    """One backup."""

    name: str
    at: str
    """The time at which ledger and store were as they are in the backup."""
    records: int
    """Of the ledger."""
    keys: int
    """Of the store."""
    bytes: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to."""
    parser.add_argument(
        "--to", required=True, metavar="PLACE", help="a folder, or s3://bucket/prefix"
    )
    parser.add_argument("--list", action="store_true", help="only list the backups there are")


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Make one, or list those there are."""
    from everfit.contracts.settings import Settings
    from everfit.operations.backup.back_up import back_up
    from everfit.operations.backup.manifest import names, open_place, read_backup

    if options.list:
        place = open_place(options.to)
        found = [document(name, read_backup(place, name)[1]) for name in names(place)]
        for one in found:
            terminal.line(f"{one['name']}  {count(one['keys'], 'key')}, {size(one['bytes'])}")
        if not found:
            terminal.line(f"There is no backup in {options.to} yet.")
    else:
        with tempfile.TemporaryDirectory(prefix="everfit-") as scratch:
            name, backup = back_up(
                Settings.from_environment(), options.to, Path(scratch), terminal.progress()
            )
        found = [document(name, backup)]
        terminal.line(f"✓ {name}  {sentence(found[0])}")
    terminal.document(found)
    return 0


def document(name: str, backup: Backup) -> BackedUp:
    """A backup as plain values."""
    return {
        "name": name,
        "at": backup.at,
        "records": sum(backup.rows.values()),
        "keys": backup.keys,
        "bytes": backup.size,
    }


def sentence(one: BackedUp) -> str:
    """How much there is in a backup."""
    return (
        f"{count(one['records'], 'record')}, {count(one['keys'], 'key')} of the store, "
        f"{size(one['bytes'])}"
    )


COMMAND = Command(
    group=Group.OPERATE,
    help="copy ledger and store to another place",
    description="Copies ledger and store to a folder or a bucket, while pipelines may be at work. "
    "What is there already is not copied again.",
    add_arguments=add_arguments,
    run=run,
    answer=lambda: list[BackedUp],
    page="how-to/upkeep.md",
)
