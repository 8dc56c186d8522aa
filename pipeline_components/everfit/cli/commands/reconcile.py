"""``everfit reconcile``: compare MLflow and the store with the ledger, and repair what differs."""

from __future__ import annotations

import argparse
from typing import TypedDict

from everfit.cli.command import Command, Group
from everfit.cli.terminal import Terminal
from everfit.contracts.errors import EXIT_DONE, EXIT_USER


class Reconciled(TypedDict):
    """What was compared, repaired and left."""

    pipeline: str
    dry_run: bool
    repaired: list[str]
    """A sentence each; with ``--dry-run`` what would be repaired."""
    left: list[str]
    """What a person must do, a line each."""
    versions: int
    mlflow_runs: int
    artifacts: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which pipeline, and how far to go."""
    parser.add_argument("name", metavar="NAME", help="the pipeline")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be repaired")
    parser.add_argument(
        "--rebuild", action="store_true", help="rebuild the runs and versions that MLflow lacks"
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Repair what the ledger settles; a line on stderr for each thing a person must do."""
    from everfit.champion.lookup import known_pipeline
    from everfit.champion.repair.reconcile import reconcile
    from everfit.contracts.settings import Settings
    from everfit.engine.context import open_context

    settings = Settings.from_environment()
    name = options.name
    with open_context(settings, terminal.progress(), may_be_lost=True) as context:
        known_pipeline(context.ledger, name, settings.pipelines)
        done = reconcile(name, context, dry_run=options.dry_run, rebuild_missing=options.rebuild)
    answer: Reconciled = {
        "pipeline": name,
        "dry_run": options.dry_run,
        "repaired": list(done.repaired),
        "left": [report.line for report in done.reports],
        "versions": done.versions,
        "mlflow_runs": done.runs,
        "artifacts": done.artifacts,
    }
    terminal.document(answer)
    verb = "to repair" if options.dry_run else "repaired"
    for sentence in done.repaired:
        terminal.line(f"  {verb}: {sentence}")
    for line in answer["left"]:
        terminal.complain(line)
    clean = not done.reports and not (options.dry_run and done.repaired)
    terminal.line(
        f"{'✓' if clean else '✗'} {name}  versions {done.versions}, runs in MLflow {done.runs}, "
        f"artifacts checked {done.artifacts}; {len(done.repaired)} {verb}, "
        f"{len(done.reports)} for a person"
    )
    return EXIT_DONE if clean else EXIT_USER


COMMAND = Command(
    group=Group.OPERATE,
    help="compare MLflow and the store with the ledger, and repair what differs",
    description="Compares MLflow and the store with the ledger, repairs what the ledger settles, "
    "and ends with exit code 2 and a line for each thing left for a person.",
    add_arguments=add_arguments,
    run=run,
    answer=lambda: Reconciled,
    page="reference/registry.md",
)
