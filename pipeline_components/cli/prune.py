"""``everfit prune``: what nothing needs any more, and away with it where asked to."""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from pipeline_components.champion.lookup import known_pipeline
from pipeline_components.context import open_context
from pipeline_components.contracts.errors import UserError
from pipeline_components.contracts.settings import Settings
from pipeline_components.progress import LogProgress, TerminalProgress
from pipeline_components.retention.prune import Pruned, age, prune


def command(options: argparse.Namespace) -> int:
    """List what would go, or remove it."""
    if bool(options.name) == options.all:
        raise UserError(
            "PRUNE-WHICH", "everfit prune", "a pipeline is named, or --all",
            "both are" if options.name else "neither is", "Name one of them",
        )  # fmt: skip
    age(options.older_than)
    settings = Settings.from_environment()
    live = sys.stderr.isatty() and not options.verbose
    with open_context(settings, TerminalProgress() if live else LogProgress()) as context:
        if options.name:
            known_pipeline(context.ledger, options.name, settings.pipelines)
        done = prune(context, options.older_than, only=options.name, delete=options.delete)
    _tell(done, options.name, options.older_than)
    return 0


def _tell(done: Pruned, name: str | None, older_than: str) -> None:
    write = sys.stdout.write
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for one in done.found.condemned:
        counts[one.kind] += 1
        sizes[one.kind] += one.entry.size
    verb = "would go" if done.swept is None else "condemned"
    if counts or done.runs:
        write(f"{verb}, unused for {older_than} and needed by nothing:\n")
    for kind, size in sizes.most_common():
        write(f"  {counts[kind]:>7,} {kind:<46} {shown_size(size):>9}\n")
    if done.runs:
        write(f"  {len(done.runs):>7,} runs in MLflow, with their artifacts\n")
    write("kept:\n")
    for why, (count, size) in done.found.kept.items():
        write(f"  {count:>7,} {_because(why, older_than):<60} {shown_size(size):>9}\n")
    total = shown_size(sum(sizes.values()))
    whose = name or "all pipelines"
    if done.swept is not None:
        spared = f", {done.swept.spared:,} spared: in use again" if done.swept.spared else ""
        write(
            f"✓ {whose}  removed {done.swept.removed:,} ({shown_size(done.swept.size)})"
            f" and {len(done.runs):,} runs in MLflow{spared}\n"
        )
    elif counts or done.runs:
        write(f"✓ {whose}  {total} could go. Nothing was removed: say --delete\n")
    else:
        write(f"✓ {whose}  nothing to remove\n")


def _because(why: str, older_than: str) -> str:
    """The reason, with the length of time in place of what stands for it."""
    return why.replace("younger runs", f"runs younger than {older_than}").replace(
        "since then", f"within {older_than}"
    )


def shown_size(size: int) -> str:
    """Bytes in decimal units: ``4.4 MB``."""
    amount, unit = float(size), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            break
        amount /= 1000
    return f"{amount:,.0f} {unit}" if unit == "B" else f"{amount:,.1f} {unit}"
