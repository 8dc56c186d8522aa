"""``everfit changed``: the pipelines that a change concerns."""

from __future__ import annotations

import argparse
import sys

from pipeline_components.contracts.settings import Settings


def command(options: argparse.Namespace) -> int:
    """A line for each: its name, and one of the files it is for."""
    from pipeline_components.delivery.changed import changed_pipelines

    settings = Settings.from_environment()
    found = changed_pipelines(settings.root, settings.pipelines, options.base)
    width = max(map(len, found), default=0)
    for name, file in found.items():
        sys.stdout.write(f"{name.ljust(width)}  {file}\n")
    return 0
