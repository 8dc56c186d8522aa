"""``everfit changed``: the pipelines that a change affects."""

from __future__ import annotations

import argparse
from typing import TypedDict

from everfit.cli.command import Command, Group
from everfit.cli.terminal import Terminal


class Changed(TypedDict):
    """One pipeline."""

    pipeline: str
    file: str
    """One of the changed files that affect it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Since when."""
    parser.add_argument(
        "--base",
        default="origin/main",
        metavar="REF",
        help="the branch or commit to compare with (origin/main)",
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """A line for each: its name, and one of the files that affect it."""
    from everfit.contracts.settings import Settings
    from everfit.operations.delivery.changed import changed_pipelines

    settings = Settings.from_environment()
    found = changed_pipelines(settings.root, settings.pipelines, options.base)
    answer: list[Changed] = [{"pipeline": name, "file": file} for name, file in found.items()]
    terminal.document(answer)
    width = max(map(len, found), default=0)
    for name, file in found.items():
        terminal.line(f"{name.ljust(width)}  {file}")
    return 0


COMMAND = Command(
    group=Group.OPERATE,
    help="list the pipelines that a change affects",
    description="Lists the pipelines that the changes since a branch or commit affect, each with "
    "one of the files that do.",
    add_arguments=add_arguments,
    run=run,
    answer=lambda: list[Changed],
    page="how-to/delivery.md",
)
