"""``everfit ui``: the pages of the cockpit on this machine, without Airflow."""

from __future__ import annotations

import argparse
from typing import TypedDict

from everfit.cli.command import Command, Group
from everfit.cli.terminal import Terminal


class Shown(TypedDict):
    """A site that has begun to answer."""

    address: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which port."""
    parser.add_argument(
        "--port", type=int, default=8060, metavar="N", help="its port (8060); 0: any that is free"
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Answer until it is stopped."""
    from everfit.contracts.errors import UserError
    from everfit.contracts.settings import Settings
    from everfit.engine.context import open_context
    from everfit.operations.cockpit import Cockpit, Site

    settings = Settings.from_environment()
    with open_context(settings):
        cockpit = Cockpit(settings)
    try:
        site = Site(cockpit, options.port)
    except (OSError, OverflowError) as error:
        raise UserError(
            "UI-PORT",
            f"port {options.port}",
            "the pages need a port that nobody else listens at",
            getattr(error, "strerror", None) or str(error),
            "Choose another with --port, or 0 for any that is free",
        ) from error
    with site:
        terminal.document({"address": site.address})
        terminal.line(f"The models are at {site.address}; stop it with Ctrl-C.")
        terminal.close()
        try:
            site.serve_forever()
        except KeyboardInterrupt:
            terminal.line("Stopped.")
    return 0


COMMAND = Command(
    group=Group.LOOK_AT,
    help="show all models as pages in a browser, without Airflow",
    description="Shows the pages that Airflow shows as Models and Model: champions, scores, drift, "
    "verdicts, what is next, budgets and cost. Read-only, and for this machine alone.",
    add_arguments=add_arguments,
    run=run,
    answer=lambda: Shown,
    page="how-to/cockpit.md",
)
