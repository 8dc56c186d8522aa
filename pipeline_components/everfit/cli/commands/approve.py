"""``everfit approve``: a person agrees to the version that waits for an answer."""

from __future__ import annotations

import argparse
from typing import Literal, TypedDict

from everfit.cli.arguments import add_who_and_why
from everfit.cli.command import Command, Group
from everfit.cli.terminal import Terminal


class Answered(TypedDict):
    """The answer that counts: the first one."""

    pipeline: str
    version: int
    answer: Literal["approve", "refuse"]
    person: str
    reason: str
    at: str
    champion: int | None
    """The version that serves now."""
    before: int | None
    """The champion until then."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which version, why and who."""
    add_version(parser)
    add_who_and_why(parser, reason_required=False)


def add_version(parser: argparse.ArgumentParser) -> None:
    """The version a person answers for."""
    parser.add_argument("name", metavar="NAME", help="the pipeline")
    parser.add_argument("version", metavar="VERSION", help="such as 3 or v3")


def run(
    options: argparse.Namespace,
    terminal: Terminal,
    what: Literal["approve", "refuse"] = "approve",
) -> int:
    """Record the answer, and promote where it was yes."""
    from everfit.champion.answer import answer
    from everfit.champion.approvals import told
    from everfit.champion.lookup import version_number
    from everfit.champion.overrule import on_behalf, this_person
    from everfit.contracts.settings import Settings
    from everfit.contracts.spec.load import find_spec, load_spec
    from everfit.engine.context import open_context
    from everfit.operations.board import publish_board

    settings = Settings.from_environment()
    spec = load_spec(find_spec(settings.pipelines, options.name))
    number = version_number(options.version)
    reason = on_behalf(options.reason or "", options.by)
    with open_context(settings, terminal.progress()) as context:
        done = answer(what, spec, number, reason, this_person(), context)
        publish_board(spec, context)
    document: Answered = {
        "pipeline": spec.name,
        "version": number,
        "answer": done.approval.answer,
        "person": done.approval.person,
        "reason": done.approval.reason,
        "at": done.approval.at,
        "champion": done.champion,
        "before": done.before,
    }
    terminal.document(document)
    terminal.line(f"{spec.name} v{number} was {told(done.approval)}")
    serves = f"v{done.champion} serves" if done.champion is not None else "nothing serves"
    if what == "refuse":
        terminal.line(f"  It stays a challenger; {serves}.")
    elif done.champion == number:
        before = f", after v{done.before}" if done.before not in (None, number) else ""
        terminal.line(f"  It is champion now{before}.")
    else:
        terminal.line(
            "  Another version was promoted since it was judged: it stays a challenger, "
            f"and {serves}."
        )
    return 0


COMMAND = Command(
    group=Group.DECIDE,
    help="promote the version that waits for your answer",
    description="Promotes the version that waits for a person's answer. If another version was "
    "promoted since it was judged, it stays a challenger.",
    add_arguments=add_arguments,
    run=run,
    answer=lambda: Answered,
    page="how-to/people.md",
)
