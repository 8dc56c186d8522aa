"""``everfit explain``: the reasons for the verdict on a version, or on any run."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Literal, TypedDict

from everfit.cli.command import Command, Group
from everfit.cli.terminal import Terminal
from everfit.contracts.errors import UserError

if TYPE_CHECKING:
    from everfit.champion.explain import Explanation


class CheckNotPassed(TypedDict):
    """A check of the gate that failed or could not be made."""

    code: str
    title: str
    severity: Literal["error", "warning", "info"]
    state: Literal["failed", "not_assessed"]
    message: str
    flip: str
    """What would have made it pass; may be empty."""


class Explained(TypedDict):
    """A verdict and the checks behind it."""

    pipeline: str
    run_key: str
    version: int | None
    verdict: Literal["promote", "hold", "reject"]
    because: str
    not_passed: list[CheckNotPassed]
    person: str | None
    """The answer of the person who was asked, or what is waited for."""
    report: str
    """The decision report, a page."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which decision."""
    parser.add_argument("name", metavar="NAME", help="the pipeline")
    parser.add_argument(
        "version", nargs="?", metavar="VERSION", help="such as 3 or v3 (default: the champion)"
    )
    parser.add_argument(
        "--run", metavar="KEY", help="any run instead, by the first letters of its key"
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Show a verdict, and put its report where it can be opened."""
    from everfit.champion.explain import explain, write_reports
    from everfit.champion.lookup import known_pipeline, version_number
    from everfit.contracts.settings import Settings
    from everfit.engine.context import open_context

    if options.version and options.run:
        raise UserError(
            "EXPLAIN-WHICH",
            "everfit explain",
            "a version or a run is explained",
            "both were given",
            "Leave one out",
        )
    settings = Settings.from_environment()
    name = options.name
    number = version_number(options.version) if options.version else None
    with open_context(settings) as context:
        known_pipeline(context.ledger, name, settings.pipelines)
        found = explain(context.ledger, context.store, name, version=number, run=options.run)
        page = write_reports(found, name, context.store, settings.home)
    answer: Explained = {
        "pipeline": name,
        "run_key": found.run_key,
        "version": found.version,
        "verdict": found.verdict.verdict,
        "because": found.verdict.because,
        "not_passed": _not_passed(found),
        "person": _person(found, name),
        "report": str(page),
    }
    terminal.document(answer)
    _show(answer, terminal)
    return 0


def _not_passed(found: Explanation) -> list[CheckNotPassed]:
    return [
        {
            "code": check.code,
            "title": check.title,
            "severity": check.severity,
            "state": "failed" if check.state == "failed" else "not_assessed",
            "message": check.message,
            "flip": check.flip or "",
        }
        for check in found.not_passed
    ]


def _person(found: Explanation, name: str) -> str | None:
    from everfit.champion.approvals import told

    if found.approval:
        return told(found.approval)
    if found.awaits == "approval":
        return f"has not answered yet: everfit approve {name} {found.version}, or everfit refuse"
    return "is not asked: the pipeline only observes" if found.awaits else None


def _show(answer: Explained, terminal: Terminal) -> None:
    terminal.verdict(answer["verdict"], answer["because"])
    version = f" v{answer['version']}, run" if answer["version"] is not None else " run"
    terminal.line(f"  {answer['pipeline']}{version} {answer['run_key']}")
    if answer["person"]:
        terminal.line(f"  person  {answer['person']}")
    for check in answer["not_passed"]:
        state = check["state"].replace("_", " ")
        terminal.line(
            f"  ✗ {check['title']} ({check['code']}, {check['severity']}, {state}): "
            f"{check['message']}"
        )
        if check["flip"]:
            terminal.line(f"      {check['flip']}")
    terminal.line(f"  report  {answer['report']}")


COMMAND = Command(
    group=Group.LOOK_AT,
    help="explain the verdict on a version or a run",
    description="Shows the verdict on the champion, another version or any run: the reason, the "
    "checks that did not pass and what would have changed the verdict. Writes the decision report "
    "(page and JSON) to EVERFIT_HOME/reports. Without a champion: the newest decision.",
    add_arguments=add_arguments,
    run=run,
    answer=lambda: Explained,
    page="explanation/gate.md",
)
