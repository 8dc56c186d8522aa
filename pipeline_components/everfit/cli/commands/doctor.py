"""``everfit doctor``: what works here, what does not, and what to do."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from everfit.cli.command import Command, Group
from everfit.cli.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from everfit.operations.doctor import Finding

MARKS = {"ok": "✓", "warning": "!", "fails": "✗"}


def run(options: argparse.Namespace, terminal: Terminal) -> int:  # noqa: ARG001
    """Look at everything, and say it line by line."""
    from everfit.contracts.settings import Settings
    from everfit.contracts.version import VERSION
    from everfit.operations.doctor import Examination, Health

    settings = Settings.from_environment()
    terminal.line(f"everfit {VERSION} in {settings.root}")
    terminal.line()
    found = []
    for finding in Examination(settings).findings(terminal.begin):
        found.append(finding)
        terminal.line(
            f"{MARKS[finding.state]} {finding.state:<8} {finding.check:<12} {finding.found}"
        )
        if finding.todo:
            terminal.line(f"    → {finding.todo}")
    fails, warnings = (sum(one.state == state for one in found) for state in ("fails", "warning"))
    terminal.document(
        Health(
            version=VERSION,
            root=str(settings.root),
            fails=fails,
            warnings=warnings,
            checks=tuple(found),
        )
    )
    terminal.line()
    terminal.line(_summary(fails, warnings))
    return _exit_code(found)


def _summary(fails: int, warnings: int) -> str:
    from everfit.contracts.wording import count

    more = f", {count(warnings, 'warning')}" if warnings else ""
    if fails:
        return f"{count(fails, 'check')} {'fails' if fails == 1 else 'fail'}{more}."
    return f"Nothing fails{more}."


def _exit_code(found: Sequence[Finding]) -> int:
    """A mistake to correct comes before a service that may come back."""
    return min((one.exit_code for one in found if one.exit_code), default=0)


def _answer() -> type[object]:
    from everfit.operations.doctor import Health

    return Health


COMMAND = Command(
    group=Group.OPERATE,
    help="say what works here, what does not, and what to do",
    description="Looks at Python and the installed parts, the interpreters of components and "
    "Airflow, the pipelines' specs, the credentials (their names only), ledger, store, MLflow, "
    "disk and clocks. Makes nothing but one key in the store, which it removes. Ends with 2 where "
    "a person must correct something, with 75 where only a service did not answer.",
    run=run,
    answer=_answer,
    page="how-to/install.md",
)
