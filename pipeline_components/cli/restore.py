"""``everfit restore``: ledger and store made again from a backup, in an empty place."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from pipeline_components.backup.restore import restore
from pipeline_components.cli.prune import shown_size
from pipeline_components.contracts.settings import Settings
from pipeline_components.ledger import open_ledger
from pipeline_components.progress import LogProgress, TerminalProgress


def command(options: argparse.Namespace) -> int:
    """Restore one backup, and say what is left to do."""
    settings = Settings.from_environment()
    live = sys.stderr.isatty() and not options.verbose
    with tempfile.TemporaryDirectory(prefix="everfit-") as scratch:
        name, backup = restore(
            settings, getattr(options, "from"), Path(scratch),
            TerminalProgress() if live else LogProgress(), options.backup,
        )  # fmt: skip
    rows = sum(backup.rows.values())
    sys.stdout.write(
        f"✓ {name}  {rows:,} records, {backup.keys:,} keys of the store, "
        f"{shown_size(backup.size)}; as of {backup.at}\n"
    )
    with open_ledger(settings.ledger) as ledger:
        for pipeline in ledger.pipelines():
            sys.stdout.write(f"  next: everfit reconcile {pipeline} --rebuild\n")
    return 0
