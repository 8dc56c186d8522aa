"""``everfit promote``: a person makes a version champion, over the gate."""

from __future__ import annotations

import argparse
from typing import Literal, TypedDict

from everfit.cli.arguments import add_who_and_why
from everfit.cli.command import Command, Group
from everfit.cli.terminal import Terminal


class Promoted(TypedDict):
    """The head of the champion's journal, now."""

    pipeline: str
    version: int
    """The champion."""
    before: int | None
    """The champion until then."""
    changed: bool
    """False: the version was champion already."""
    sequence: int
    """Its place in the journal."""
    kind: Literal["promote", "refit", "override", "rollback"]
    reason: str
    at: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which version or run, why and who."""
    parser.add_argument("name", metavar="NAME", help="the pipeline")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--to", metavar="VERSION", help="such as 3 or v3")
    which.add_argument(
        "--run",
        metavar="KEY",
        help="a run that was held or rejected, by the first letters of its key",
    )
    add_who_and_why(parser)


def run(
    options: argparse.Namespace,
    terminal: Terminal,
    kind: Literal["override", "rollback"] = "override",
) -> int:
    """Check, append to the journal, move the alias."""
    from everfit.champion.journal import shown_time
    from everfit.champion.lookup import version_number
    from everfit.champion.overrule import on_behalf, overrule, overrule_run, this_person
    from everfit.contracts.settings import Settings
    from everfit.contracts.spec.load import find_spec, load_spec
    from everfit.engine.context import open_context
    from everfit.operations.board import publish_board

    settings = Settings.from_environment()
    spec = load_spec(find_spec(settings.pipelines, options.name))
    reason, person = on_behalf(options.reason, options.by), this_person()
    with open_context(settings, terminal.progress()) as context:
        if options.to is None:
            done = overrule_run(spec, options.run, reason, person, context)
        else:
            done = overrule(kind, spec, version_number(options.to), reason, person, context)
        publish_board(spec, context)
    name, entry = spec.name, done.entry
    answer: Promoted = {
        "pipeline": name,
        "version": entry.version,
        "before": done.before,
        "changed": done.changed,
        "sequence": entry.sequence,
        "kind": entry.kind,
        "reason": entry.reason,
        "at": entry.at,
    }
    terminal.document(answer)
    if not done.changed:
        since = shown_time(entry.at)
        terminal.line(f"{name} v{entry.version} is champion already, since {since}.")
        return 0
    before = f", after v{done.before}" if done.before is not None else ""
    terminal.line(f"{name} v{entry.version} is champion now{before}")
    terminal.line(f"  because  {entry.reason}")
    terminal.line(f"  journal  entry {entry.sequence}, {entry.kind}, {shown_time(entry.at)}")
    terminal.line(f"  loads    {done.libraries}")
    return 0


COMMAND = Command(
    group=Group.DECIDE,
    help="make a version champion, overruling the gate",
    description="Makes a version champion, whatever the gate decided. Recorded as an override, "
    "with the reason and who decided. With --run: the candidate of a run that was held or "
    "rejected, which is registered first.",
    add_arguments=add_arguments,
    run=run,
    answer=lambda: Promoted,
    epilog="examples:\n  everfit promote taxi_fare --to 3 --reason 'finance needs the new fares'",
    page="how-to/people.md",
)
