"""``everfit backup``: the ledger and the store, as they are at one moment, to another place."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from pipeline_components.backup.back_up import back_up
from pipeline_components.backup.manifest import names, open_place, read_backup
from pipeline_components.cli.prune import shown_size
from pipeline_components.contracts.settings import Settings
from pipeline_components.progress import LogProgress, TerminalProgress


def command(options: argparse.Namespace) -> int:
    """Make one, or list those there are."""
    if options.list:
        place = open_place(options.to)
        for name in names(place):
            _, backup = read_backup(place, name)
            sys.stdout.write(f"{name}  {backup.keys:,} keys, {shown_size(backup.size)}\n")
        return 0
    live = sys.stderr.isatty() and not options.verbose
    with tempfile.TemporaryDirectory(prefix="everfit-") as scratch:
        name, backup = back_up(
            Settings.from_environment(), options.to, Path(scratch),
            TerminalProgress() if live else LogProgress(),
        )  # fmt: skip
    rows = sum(backup.rows.values())
    sys.stdout.write(
        f"✓ {name}  {rows:,} records, {backup.keys:,} keys of the store, "
        f"{shown_size(backup.size)}\n"
    )
    return 0
