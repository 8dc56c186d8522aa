"""``everfit explain``: why a version, or any run, was decided upon as it was."""

from __future__ import annotations

import argparse
import sys

from pipeline_components.champion.approvals import told
from pipeline_components.champion.explain import explain, write_reports
from pipeline_components.champion.lookup import known_pipeline, version_number
from pipeline_components.context import open_context
from pipeline_components.contracts.errors import UserError
from pipeline_components.contracts.settings import Settings


def command(options: argparse.Namespace) -> int:
    """Show a verdict, and put its report where it can be opened."""
    if options.version and options.run:
        raise UserError(
            "EXPLAIN-WHICH", "everfit explain", "a version or a run is explained",
            "both are given", "Leave one out",
        )  # fmt: skip
    settings = Settings.from_environment()
    name = options.name
    number = version_number(options.version) if options.version else None
    with open_context(settings) as context:
        known_pipeline(context.ledger, name, settings.pipelines)
        found = explain(context.ledger, context.store, name, version=number, run=options.run)
        page = write_reports(found, name, context.store, settings.home)
    write = sys.stdout.write
    write(f"{found.verdict.verdict.upper()}  {found.verdict.because}\n")
    what = f"{name} v{found.version}, run" if found.version is not None else f"{name} run"
    write(f"  {what} {found.run_key}\n")
    if found.approval:
        write(f"  person  {told(found.approval)}\n")
    elif found.awaits == "approval":
        write(f"  person  not asked yet: everfit approve {name} {found.version}, or refuse\n")
    elif found.awaits:
        write("  person  nobody is asked: the pipeline only observes\n")
    for check in found.not_passed:
        state = check.state.replace("_", " ")
        write(f"  ✗ {check.title} ({check.code}, {check.severity}, {state}): {check.message}\n")
        if check.flip:
            write(f"      {check.flip}\n")
    write(f"  report  {page}\n")
    return 0
