"""``everfit example``: months of invented taxi trips, arriving as files in the data folder."""

from __future__ import annotations

import argparse
from typing import TypedDict

from everfit.cli.command import Command, Group
from everfit.cli.terminal import Terminal


class Written(TypedDict):
    """The months there are now."""

    place: str
    months: int
    new: list[str]
    """Names of the files that were written."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many months, and what is in them."""
    parser.add_argument(
        "--months", type=int, metavar="N", help="write months up to N, those that are missing (6)"
    )
    parser.add_argument("--next", action="store_true", help="write one more month")
    parser.add_argument("--rows", type=int, default=10_000, metavar="N", help="trips a month")
    parser.add_argument(
        "--seed", type=int, default=2018, metavar="N", help="seed of the generator: other trips"
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Write the months that are not there yet; existing files are left alone."""
    from everfit.contracts.settings import Settings
    from everfit.operations.example_months import DEFAULT_MONTHS, Months

    months = Months(Settings.from_environment())
    there, wanted = months.there(), options.months
    if wanted is None:
        wanted = there + 1 if options.next else max(there, DEFAULT_MONTHS)
    new = months.write(wanted, options.rows, options.seed, terminal.begin)
    answer: Written = {"place": months.place, "months": wanted, "new": new}
    terminal.document(answer)
    terminal.line(f"{months.place}: {wanted} months, {len(new)} of them new.")
    return 0


COMMAND = Command(
    group=Group.WORK_ON,
    help="write monthly taxi trips to try Everfit on",
    description="Writes six months of invented taxi trips into the data folder (EVERFIT_DATA), "
    "a file a month; existing files are left alone.",
    add_arguments=add_arguments,
    run=run,
    answer=lambda: Written,
)
