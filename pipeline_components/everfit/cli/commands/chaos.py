"""``everfit chaos``: a copy of a pipeline killed, refused and raced at every outward act."""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path
from typing import TYPE_CHECKING

from everfit.cli.arguments import from_one
from everfit.cli.command import Command, Group
from everfit.cli.terminal import Terminal
from everfit.contracts import wording

if TYPE_CHECKING:
    from everfit.operations.chaos.session import Session

EXIT_BROKEN = 4
"""A promise did not hold: an answer, and one that a script must notice."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which pipeline, for how long, and where."""
    parser.add_argument("name", metavar="NAME", help="the pipeline")
    parser.add_argument(
        "--minutes", type=from_one, default=10, metavar="N", help="run cases for N minutes (10)"
    )
    parser.add_argument(
        "--in",
        dest="folder",
        type=Path,
        metavar="FOLDER",
        help="a new folder for the copy and the page (default: chaos-NAME, or -2 and so on, here)",
    )
    parser.add_argument(
        "--rows", type=from_one, default=500, metavar="N", help="about N rows of each span (500)"
    )
    parser.add_argument(
        "--seed", type=from_one, default=1, metavar="N", help="the order of the cases (1)"
    )
    parser.add_argument("--case", default="", metavar="CASE", help="this case alone")


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Copy, try, write the page."""
    from everfit.contracts.settings import Settings
    from everfit.contracts.spec.load import find_spec, load_spec
    from everfit.engine.context import pin_threads

    settings = Settings.from_environment()
    spec = load_spec(find_spec(settings.pipelines, options.name))
    pin_threads(1)
    from everfit.operations.chaos.session import Wanted, chaos

    folder = (options.folder or _free(f"chaos-{spec.name}")).resolve()
    wanted = Wanted(options.minutes, options.rows, options.seed, options.case)
    found = chaos(spec, settings, folder, wanted, terminal.progress())
    terminal.document(found)
    _show(found, terminal)
    return EXIT_BROKEN if found.broken else 0


def _free(name: str) -> Path:
    """A new folder here: ``chaos-fares``, else ``chaos-fares-2`` and so on."""
    names = (name if number == 1 else f"{name}-{number}" for number in itertools.count(1))
    return next(path for path in map(Path, names) if not path.exists())


def _show(found: Session, terminal: Terminal) -> None:
    for one in found.broken:
        terminal.line(f"✗ {one.case}  {one.what}")
    kinds = ", ".join(f"{kind} {count}" for kind, count in found.kinds.items())
    mark = "✗" if found.broken else "✓"
    broken = wording.count(len(found.broken), "case") if found.broken else "none"
    terminal.line(
        f"{mark} {found.pipeline}  {wording.count(found.cases, 'case')} of "
        f"{wording.number(found.there)} in {wording.duration(found.seconds)}; "
        f"a promise did not hold in {broken}"
    )
    terminal.facts([("faults", kinds), ("page", found.page)])


def _answer() -> object:
    from everfit.operations.chaos.session import Session

    return Session


COMMAND = Command(
    group=Group.OPERATE,
    help="kill, refuse and race a copy of a pipeline, and check that nothing is lost",
    description="Copies a pipeline with a sample of its rows, trains the copy twice, then kills, "
    "refuses, freezes and races each step at every outward act. After each fault, and after the "
    "step has run again, twelve promises are checked. Nothing of the installation is written. "
    "Ends with exit code 4 where a promise did not hold.",
    add_arguments=add_arguments,
    run=run,
    answer=_answer,
    epilog="examples:\n  everfit chaos taxi_fare --minutes 5\n"
    "  everfit chaos taxi_fare --case kill/second/register/37",
    page="how-to/chaos.md",
)
