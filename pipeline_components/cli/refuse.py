"""``everfit refuse``: the version that waits does not become champion."""

from __future__ import annotations

import argparse

from pipeline_components.cli import approve


def command(options: argparse.Namespace) -> int:
    """As ``everfit approve``, with the other answer; a reason is needed."""
    return approve.command(options, "refuse")
