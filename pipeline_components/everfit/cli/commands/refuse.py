"""``everfit refuse``: a person does not agree to the version that waits for an answer."""

from __future__ import annotations

import argparse

from everfit.cli.arguments import add_who_and_why
from everfit.cli.command import Command, Group
from everfit.cli.commands import approve
from everfit.cli.terminal import Terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which version, why and who."""
    approve.add_version(parser)
    add_who_and_why(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """As ``everfit approve``, with the other answer; a reason is needed."""
    return approve.run(options, terminal, "refuse")


COMMAND = Command(
    group=Group.DECIDE,
    help="keep the version that waits for your answer a challenger",
    description="Leaves the version that waits for a person's answer a challenger, with the "
    "reason. The first answer counts.",
    add_arguments=add_arguments,
    run=run,
    answer=lambda: approve.Answered,
    page="how-to/people.md",
)
