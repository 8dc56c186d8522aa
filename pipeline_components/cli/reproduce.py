"""``everfit reproduce``: rebuild a registered version, and say how far it is the same."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipeline_components.champion.lookup import find_version, known_pipeline, version_number
from pipeline_components.context import open_context
from pipeline_components.contracts.settings import Settings
from pipeline_components.progress import LogProgress, TerminalProgress
from pipeline_components.reproduce.answer import Reproduction
from pipeline_components.reproduce.reproduce import reproduce

EXIT_DIVERGED = 4
"""The rebuilt version is not the recorded one: an answer, and one that a script must notice."""

_MARKS = {"same": "✓", "equal": "≈", "differs": "✗"}


def command(options: argparse.Namespace) -> int:
    """Rebuild one version."""
    settings = Settings.from_environment()
    number = version_number(options.version)
    keep = Path(options.keep) if options.keep else None
    live = sys.stderr.isatty() and not options.verbose
    with open_context(settings, TerminalProgress() if live else LogProgress()) as context:
        known_pipeline(context.ledger, options.name, settings.pipelines)
        record = find_version(context.ledger, options.name, number)
        found = reproduce(options.name, record, context, here=options.here, keep=keep)
    if options.json:
        sys.stdout.write(found.model_dump_json(indent=1) + "\n")
    else:
        _tell(found, keep)
    return EXIT_DIVERGED if found.answer == "diverged" else 0


def _tell(found: Reproduction, keep: Path | None) -> None:
    write = sys.stdout.write
    for step in found.rebuilt.steps:
        write(f"  {_MARKS[step.state]} {step.name:<15} {step.told}\n")
        for line in step.differs:
            if line not in step.told:
                write(f"      {line}\n")
    write(f"\n{found.answer.upper()}  {found.pipeline} v{found.version}: {found.because}\n")
    write(f"  with            {found.how}\n")
    write(f"  threads         {found.rebuilt.threads}\n")
    if keep is not None:
        write(f"  kept            {keep}\n")
    write(f"  time            {found.rebuilt.seconds:.1f} s\n")
