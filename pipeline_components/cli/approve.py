"""``everfit approve`` and ``everfit refuse``: a person answers for the version that waits."""

from __future__ import annotations

import argparse
import sys
from typing import Literal

from pipeline_components.champion.answer import answer
from pipeline_components.champion.approvals import told
from pipeline_components.champion.lookup import version_number
from pipeline_components.context import open_context
from pipeline_components.contracts.settings import Settings
from pipeline_components.contracts.spec_file import find_spec, load_spec


def command(options: argparse.Namespace, what: Literal["approve", "refuse"] = "approve") -> int:
    """Record the answer, and promote where it was yes."""
    settings = Settings.from_environment()
    spec = load_spec(find_spec(settings.pipelines, options.name))
    number = version_number(options.version)
    with open_context(settings) as context:
        done = answer(what, spec, number, options.reason or "", options.by or "", context)
    name, write = spec.name, sys.stdout.write
    write(f"{name} v{number} was {told(done.approval)}\n")
    serves = f"v{done.champion}" if done.champion is not None else "nothing"
    if what == "refuse":
        write(f"  It stays a challenger; {serves} serves.\n")
    elif done.champion == number:
        before = f", after v{done.before}" if done.before not in (None, number) else ""
        write(f"  It is champion now{before}.\n")
    else:
        write(
            f"  Another was promoted since it was judged: it stays a challenger, {serves} serves\n"
        )
    return 0
