"""``everfit reconcile``: hold MLflow and the store to the ledger."""

from __future__ import annotations

import argparse
import sys

from pipeline_components.champion.lookup import known_pipeline
from pipeline_components.champion.reconcile import reconcile
from pipeline_components.context import open_context
from pipeline_components.contracts.settings import Settings
from pipeline_components.progress import LogProgress, TerminalProgress


def command(options: argparse.Namespace) -> int:
    """Repair what the ledger settles; a line on stderr for each thing a person must do."""
    settings = Settings.from_environment()
    name = options.name
    live = sys.stderr.isatty() and not options.verbose
    with open_context(settings, TerminalProgress() if live else LogProgress()) as context:
        known_pipeline(context.ledger, name, settings.pipelines)
        done = reconcile(name, context, dry_run=options.dry_run, rebuild_missing=options.rebuild)
    verb = "to repair" if options.dry_run else "repaired"
    for sentence in done.repaired:
        sys.stdout.write(f"  {verb}: {sentence}\n")
    sys.stdout.flush()
    for report in done.reports:
        sys.stderr.write(f"{report.line}\n")
    left = len(done.reports)
    mark = "✓" if not left and not (options.dry_run and done.repaired) else "✗"
    counts = (
        f"versions {done.versions}, runs in MLflow {done.runs}, artifacts seen {done.artifacts}"
    )
    sys.stdout.write(f"{mark} {name}  {counts}; {len(done.repaired)} {verb}, {left} for a person\n")
    return 0 if mark == "✓" else 2
