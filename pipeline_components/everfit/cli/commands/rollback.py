"""``everfit rollback``: back to a version that was champion."""

from __future__ import annotations

import argparse

from everfit.cli.arguments import add_who_and_why
from everfit.cli.command import Command, Group
from everfit.cli.commands import promote
from everfit.cli.terminal import Terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which version, why and who."""
    parser.add_argument("name", metavar="NAME", help="the pipeline")
    parser.add_argument("--to", metavar="VERSION", required=True, help="such as 3 or v3")
    add_who_and_why(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """As ``everfit promote``, recorded as a rollback, and only to what was champion once."""
    return promote.run(options, terminal, "rollback")


COMMAND = Command(
    group=Group.DECIDE,
    help="go back to an earlier champion",
    description="Makes an earlier champion the champion again; recorded as a rollback, "
    "with the reason and who decided.",
    add_arguments=add_arguments,
    run=run,
    answer=lambda: promote.Promoted,
    epilog="examples:\n  everfit rollback taxi_fare --to 2 --reason 'v3 is slow'",
    page="how-to/people.md",
)
