"""``everfit promote`` and ``everfit rollback``: a person makes a version champion."""

from __future__ import annotations

import argparse
import sys
from typing import Literal

from pipeline_components.champion.journal import shown_time
from pipeline_components.champion.lookup import version_number
from pipeline_components.champion.overrule import overrule, overrule_run
from pipeline_components.context import open_context
from pipeline_components.contracts.settings import Settings
from pipeline_components.contracts.spec_file import find_spec, load_spec


def command(options: argparse.Namespace, kind: Literal["override", "rollback"] = "override") -> int:
    """Check, append to the journal, move the alias."""
    settings = Settings.from_environment()
    spec = load_spec(find_spec(settings.pipelines, options.name))
    reason, person = options.reason, options.by or ""
    with open_context(settings) as context:
        if options.to is None:
            done = overrule_run(spec, options.run, reason, person, context)
        else:
            done = overrule(kind, spec, version_number(options.to), reason, person, context)
    name, entry, write = spec.name, done.entry, sys.stdout.write
    if done.changed:
        before = f", after v{done.before}" if done.before is not None else ""
        write(f"{name} v{entry.version} is champion now{before}\n")
        write(f"  because  {entry.reason}\n")
        write(f"  journal  entry {entry.sequence}, {entry.kind}, {shown_time(entry.at)}\n")
        write(f"  loads    {done.libraries}\n")
    else:
        write(f"{name} v{entry.version} is champion already, since {shown_time(entry.at)}.\n")
    return 0
