"""``everfit demo``: the example in a folder of its own, trained and shown."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import Any

from everfit.cli.command import Command, Group, load
from everfit.cli.terminal import Terminal

DEFAULT = "everfit-demo"

PLACES = (
    "EVERFIT_DATA",
    "EVERFIT_HOME",
    "EVERFIT_LEDGER",
    "EVERFIT_MLFLOW",
    "EVERFIT_MLFLOW_PAGE",
    "EVERFIT_PIPELINES",
    "EVERFIT_STORE",
    "MLFLOW_TRACKING_URI",
)
"""Settings that would put something of the demo among what a person works with."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where, and how it is trained."""
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=Path(DEFAULT),
        metavar="FOLDER",
        help=f"where ({DEFAULT})",
    )
    parser.add_argument(
        "--without-airflow",
        action="store_true",
        help="train in this process, also where Airflow is installed",
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Write the example, train it, show what came of it."""
    from everfit.cli.parser import parser_of
    from everfit.contracts.settings import Settings
    from everfit.operations.doctor.environments import interpreters
    from everfit.operations.example_months import (
        DEFAULT_MONTHS,
        DEFAULT_ROWS,
        DEFAULT_SEED,
        Months,
    )
    from everfit.operations.new_repository.files import EXAMPLE, example_files, write_new

    root: Path = options.folder.resolve()
    for name in PLACES:
        os.environ.pop(name, None)
    os.environ["EVERFIT_ROOT"] = str(root)
    settings = Settings.from_environment()
    months = Months(settings)
    written, kept = write_new(root, example_files())
    wanted = max(DEFAULT_MONTHS, months.there())
    months.write(wanted, DEFAULT_ROWS, DEFAULT_SEED, terminal.begin)
    terminal.line(f"The example is in {root}: {wanted} months of invented taxi trips.")
    for path in written:
        terminal.line(f"✓ {path}")
    for path in kept:
        terminal.line(f"· {path} was there, and is left as it is")
    airflow = None
    if not (options.without_airflow or options.json):
        airflow = Path(interpreters(settings, os.environ)["airflow"])
        if os.access(airflow, os.X_OK):
            return _through_airflow(airflow.with_name("python"), EXAMPLE, terminal)
        terminal.line("Airflow is not installed here, so it is trained in this process.")
    terminal.line()
    command = load("run")
    given = parser_of("run", command).parse_args([EXAMPLE, "--reason", "demo"])
    given.json, given.verbose = options.json, options.verbose
    code = command.run(given, terminal)
    terminal.line()
    terminal.line(f"Next: cd {shlex.quote(str(options.folder))} && everfit status")
    if airflow is not None:
        terminal.line("With Airflow: pip install 'everfit[airflow]', then everfit demo again")
    return code


def _through_airflow(python: Path, pipeline: str, terminal: Terminal) -> int:
    """Let the launcher take this process over, with its terminal and its signals."""
    terminal.close()
    sys.stderr.flush()
    os.execv(python, [str(python), "-m", "everfit_launch.demo", pipeline])  # noqa: S606


def _answer() -> Any:
    from everfit.cli.commands.run import RunDone

    return RunDone


COMMAND = Command(
    group=Group.WORK_ON,
    help="train the example in a folder of its own, and show it",
    description="Writes the example's pipeline and six months of invented taxi trips into a folder "
    "of its own, trains it and shows the verdict: through Airflow where that is installed beside "
    "the components (its pages stay up until Ctrl-C), else in this process. Everything stays in "
    "the folder, whatever EVERFIT_* settings say; --json trains in this process.",
    add_arguments=add_arguments,
    run=run,
    answer=_answer,
    page="how-to/install.md",
)
