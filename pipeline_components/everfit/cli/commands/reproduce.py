"""``everfit reproduce``: rebuild a registered version, and say how far it is the same."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from everfit.cli.command import Command, Group
from everfit.cli.terminal import Terminal

if TYPE_CHECKING:
    from everfit.operations.reproduce.answer import Reproduction

EXIT_DIVERGED = 4
"""The rebuilt version is not the recorded one: an answer, and one that a script must notice."""

_MARKS = {"same": "✓", "equal": "≈", "differs": "✗"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which version, and with what."""
    parser.add_argument("name", metavar="NAME", help="the pipeline")
    parser.add_argument("version", metavar="VERSION", help="such as 3 or v3")
    parser.add_argument(
        "--here",
        action="store_true",
        help="use this installation's code and environment, not the recorded ones",
    )
    parser.add_argument("--keep", metavar="DIR", help="keep what is made in this empty folder")


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Rebuild one version."""
    from everfit.champion.lookup import find_version, known_pipeline, version_number
    from everfit.contracts.settings import Settings
    from everfit.engine.context import open_context
    from everfit.operations.reproduce.reproduce import reproduce

    settings = Settings.from_environment()
    number = version_number(options.version)
    keep = Path(options.keep) if options.keep else None
    with open_context(settings, terminal.progress()) as context:
        known_pipeline(context.ledger, options.name, settings.pipelines)
        record = find_version(context.ledger, options.name, number)
        found = reproduce(options.name, record, context, here=options.here, keep=keep)
    terminal.document(found)
    _show(found, keep, terminal)
    return EXIT_DIVERGED if found.answer == "diverged" else 0


def _show(found: Reproduction, keep: Path | None, terminal: Terminal) -> None:
    for step in found.rebuilt.steps:
        terminal.line(f"  {_MARKS[step.state]} {step.name:<15} {step.told}")
        for line in step.differs:
            if line not in step.told:
                terminal.line(f"      {line}")
    terminal.line()
    style = "bad" if found.answer == "diverged" else "good"
    terminal.line(
        f"{found.answer.upper()}  {found.pipeline} v{found.version}: {found.because}", style
    )
    facts = [("with", found.how), ("threads", str(found.rebuilt.threads))]
    if keep is not None:
        facts.append(("kept", str(keep)))
    terminal.facts([*facts, ("time", f"{found.rebuilt.seconds:.1f} s")])


def _answer() -> object:
    from everfit.operations.reproduce.answer import Reproduction

    return Reproduction


COMMAND = Command(
    group=Group.LOOK_AT,
    help="rebuild a version from its lineage and compare the two",
    description="Rebuilds a version from its lineage, with the code and environment of its "
    "record, and answers: bit-identical, numerically equal, or the first step that differs. "
    "Ends with exit code 4 where it differs.",
    add_arguments=add_arguments,
    run=run,
    answer=_answer,
    page="how-to/reproduce.md",
)
